"""Orders of axes, and the few nodes that lead from one to another.

An order has a number for each axis of a tensor that may be longer than one, and None for each that is not. So
(0, None, 1) holds the elements of (0, 1) with an axis more, and (1, 0) holds them transposed.
"""

from __future__ import annotations

from itertools import pairwise

Order = tuple[int | None, ...]


def named(order: Order) -> list[int]:
    """The axes that have a number."""
    return [axis for axis in order if axis is not None]


def way(start: Order, end: Order) -> list[Order]:
    """The orders on the way, `end` the last: some axes squeezed, all transposed, one after the other inserted.

    Both must have the same numbers; what does nothing is left out.
    """
    steps = [start]
    if len(start) != len(end) and not moves(start, end):
        steps.append(_spread(named(start), [min(pair) for pair in zip(_gaps(start), _gaps(end), strict=True)]))
    else:
        steps.append(_without_units(start, len(start) - len(end)))
        steps.append(_without_units(end, len(end) - len(start)))
    while steps[-1] != end:
        at = inserted(steps[-1], end)
        steps.append((*steps[-1][:at], None, *steps[-1][at:]))
    return [after for before, after in pairwise(steps) if after != before]


def inserted(before: Order, after: Order) -> int:
    """Where `after` has the first axis that `before` has not."""
    same = (index for index, (one, other) in enumerate(zip(before, after, strict=False)) if one != other)
    return next(same, len(before))


def removed(before: Order, after: Order) -> list[int]:
    """The axes of `before` that are missing in `after`."""
    found: list[int] = []
    for index, axis in enumerate(before):
        at = index - len(found)
        if at >= len(after) or after[at] != axis:
            found.append(index)
    return found


def permutation(before: Order, after: Order) -> list[int]:
    """The axis of `before` that each axis of `after` is."""
    units = iter([index for index, axis in enumerate(before) if axis is None])
    return [next(units) if axis is None else before.index(axis) for axis in after]


def moves(before: Order, after: Order) -> bool:
    """Whether elements change places."""
    return named(before) != named(after)


def _gaps(order: Order) -> list[int]:
    """How many axes without a number there are before each that has one, and after the last."""
    found = [0]
    for axis in order:
        if axis is None:
            found[-1] += 1
        else:
            found.append(0)
    return found


def _spread(axes: list[int], gaps: list[int]) -> Order:
    found: list[int | None] = [None] * gaps[0]
    for axis, gap in zip(axes, gaps[1:], strict=True):
        found += [axis, *[None] * gap]
    return tuple(found)


def _without_units(order: Order, count: int) -> Order:
    """The order without the first `count` axes that have no number; all of it when `count` is below one."""
    left: list[int | None] = []
    for axis in order:
        if axis is None and count > 0:
            count -= 1
        else:
            left.append(axis)
    return tuple(left)
