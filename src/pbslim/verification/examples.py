"""Samples on which two graphs decide differently, to look at."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from pbslim.verification import images
from pbslim.verification.metrics import Array, Kind, decided
from pbslim.verification.results import Example

_LONGEST_SIDE = 96
_LONGEST_TEXT = 200
_PNG = b"\x89PNG\r\n\x1a\n"
_LARGEST_FILE = 1 << 16


def find_examples(
    output: str,
    kind: Kind,
    judged: tuple[Array, Array],
    shown: tuple[Array, Array],
    batches: Sequence[Mapping[str, Array]],
    count: int,
) -> list[Example]:
    """The samples of which most decisions differ, at most `count`.

    Args:
        judged: what both graphs decide by, one entry per sample along axis 0.
        shown: the output itself, from which scores are taken.
        batches: the inputs, in the same order.
    """
    first, second = (decided(values, kind) for values in judged)
    sizes = [max((len(value) for value in batch.values() if np.ndim(value)), default=1) for batch in batches]
    if first is None or second is None or first.shape != second.shape or not first.ndim or len(first) != sum(sizes):
        return []
    unequal = np.asarray(first != second).reshape(len(first), -1)
    changed = unequal.sum(axis=1)
    order = [int(i) for i in np.argsort(-changed, kind="stable")[:count] if changed[i]]
    places = [(batch, row) for batch, size in enumerate(sizes) for row in range(size)]
    found = []
    for number in order:
        batch, row = places[number]
        picture, text = _input(batches[batch], row)
        example = Example(number, output, unequal.shape[1], int(changed[number]), picture=picture, text=text)
        if unequal.shape[1] == 1:
            one, other = (_decision(each[number].reshape(-1)[0], kind) for each in (first, second))
            scores = _score(shown[0][number], one, kind), _score(shown[1][number], other, kind)
            example = replace(example, first=one, second=other, first_score=scores[0], second_score=scores[1])
        found.append(example)
    return found


def _decision(value: object, kind: Kind) -> str:
    if kind is Kind.CHANCES:
        return "yes" if value else "no"
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)


def _score(values: Array, decision: str, kind: Kind) -> float | None:
    """The value that the output has for a decision."""
    flat = values.reshape(-1)
    if kind is Kind.SCORES and values.dtype.kind == "f" and int(decision) < flat.size:
        return float(flat[int(decision)])
    return float(flat[0]) if kind is Kind.CHANCES and flat.size == 1 and values.dtype.kind == "f" else None


def _input(batch: Mapping[str, Array], row: int) -> tuple[bytes, str]:
    """The picture or the text of a sample, whichever of its inputs has one."""
    for value in batch.values():
        if np.ndim(value) and len(value) > row:
            one = value[row]
        elif value.dtype == object and value.size == 1:
            one = value[()]
        else:
            continue
        if isinstance(one, np.ndarray) and one.ndim == 0:
            one = one.item()
        if isinstance(one, bytes):
            file = one if one.startswith(_PNG) and len(one) <= _LARGEST_FILE else b""
            return file, "" if file else one[:_LONGEST_TEXT].decode("utf-8", "replace")
        if isinstance(one, np.ndarray) and (found := picture(one)):
            return found, ""
    return b"", ""


def picture(values: Array) -> bytes:
    """An image of any range as a small PNG file; empty where `values` is none.

    Args:
        values: [h, w, channels] or [channels, h, w] of 1, 3 or 4 channels.
    """
    if values.ndim != 3 or values.dtype.kind not in "fiu":
        return b""
    if values.shape[0] in (1, 3) and values.shape[2] not in images.CHANNELS:
        values = values.transpose(1, 2, 0)
    height, width, channels = values.shape
    if channels not in images.CHANNELS or min(height, width) < images.SMALLEST_SIDE:
        return b""
    scale = min(_LONGEST_SIDE / max(height, width), 1.0)
    small = images.resize(values, max(round(height * scale), 1), max(round(width * scale), 1))
    small = np.nan_to_num(small)
    low, high = float(small.min()), float(small.max())
    pixels = (small - low) * (255 / (high - low)) if high > low else np.zeros_like(small)
    return images.png(np.rint(pixels).astype(np.uint8))
