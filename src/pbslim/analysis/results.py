"""Results of ops on constants, computed when they are read.

A file of a few bytes can ask for gigabytes: what one result, all operands of a step, and all computing together may
take is limited, and grows with the constants that the file really holds. Results that were read last are kept, so that
what has several readers is computed once; others are computed again.
"""

from __future__ import annotations

import math
from collections import Counter, OrderedDict
from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from pbslim.dtypes import STRING, DType
from pbslim.ir import Tensor
from pbslim.ir.tensors import Array
from pbslim.kernels import KernelError, evaluate
from pbslim.kernels.limits import Limits, limited

_BYTES = 1 << 23
_WORK = 1 << 27
_WORK_PER_BYTE = 32
_STRING_BYTES = 64  # that a string takes in memory, besides its text
_STRING_WORK = 128  # what an op does to a string costs as much as it does to so many numbers


class Step:
    """An op with its operands.

    Attributes:
        inputs: constants, or results of other steps.
        types: of the results.
        size: bytes of all results in memory, known once they were computed.
        depth: the longest way to operands that are no results of steps.
    """

    def __init__(self, op: str, attrs: Mapping[str, object], inputs: Sequence[Tensor], types: Sequence[DType]) -> None:
        self.op, self.attrs, self.inputs, self.types = op, attrs, inputs, types
        self.size = 0
        self.sources = list(dict.fromkeys(each.step for each in inputs if isinstance(each, ComputedTensor)))
        self.depth: int = 1 + max((each.depth for each in self.sources), default=0)


class ComputedTensor(Tensor):
    """One result of a step.

    Args:
        stored: bytes that it takes in a file.
    """

    def __init__(
        self, store: ResultStore, step: Step, port: int, dtype: DType, shape: tuple[int, ...], stored: int
    ) -> None:
        self.step, self.dtype, self.shape = step, dtype, shape
        self._store, self._port, self._stored = store, port, stored

    @property
    def stored_nbytes(self) -> int:
        """What it takes in a file."""
        return self._stored

    def numpy(self) -> Array:
        """All elements, computed if they are not at hand."""
        return self.of(self._store.read(self.step))

    def of(self, results: Sequence[Array]) -> Array:
        """It, from all results of its step."""
        return results[self._port].reshape(self.shape)

    def reshaped(self, shape: tuple[int, ...]) -> Tensor:
        """The same elements in another shape."""
        return ComputedTensor(self._store, self.step, self._port, self.dtype, shape, self._stored)


class ResultStore:
    """Computes steps and keeps the results that were read last."""

    def __init__(self) -> None:
        self._from_file: set[Tensor] = set()
        self._most = _BYTES  # of one result
        self._work: float = _WORK
        self._kept: OrderedDict[Step, list[Array]] = OrderedDict()
        self._kept_bytes = self._total_bytes = 0

    def allow(self, constant: Tensor) -> None:
        """Let what is computed be larger by the size of `constant`, which the file holds."""
        if constant not in self._from_file:
            self._from_file.add(constant)
            self._most += constant.stored_nbytes
            self._work += _WORK_PER_BYTE * constant.stored_nbytes

    def compute(self, step: Step) -> list[Array]:
        """The results of a step that is new; those that it reads were computed before.

        Raises:
            KernelError: it cannot be computed, or takes too much time or memory.
        """
        most = self._most_elements(step)
        for tensor in step.inputs:
            if tensor.size > most:
                raise KernelError(f"an operand has {tensor.size} elements, more than {most}")
        if self._total_bytes > _BYTES and self._peak(step) > 2 * self._most:
            raise KernelError(f"its operands take more than {2 * self._most} bytes together")
        if self._work <= 0:
            raise KernelError("too much was computed for it, and for others, already")
        results = self._run(step)
        self._total_bytes += step.size
        return results

    def read(self, step: Step) -> list[Array]:
        """The results of a step that was computed before."""
        work, self._work = self._work, math.inf  # it was allowed then
        try:
            return self._run(step)
        finally:
            self._work = work

    def trim(self) -> None:
        """Keep little."""
        self._drop(Counter())

    def _most_elements(self, step: Step) -> int:
        types = [*step.types, *(tensor.dtype for tensor in step.inputs)]
        return self._most // max((_STRING_BYTES if t is STRING else t.itemsize for t in types), default=1)

    def _run(self, step: Step) -> list[Array]:
        """Compute `step` if it is not kept, and before it what it reads and is not kept."""
        if step in self._kept:
            self._kept.move_to_end(step)
            return self._kept[step]
        plan = self._plan(step, self._kept)
        readers = Counter(source for each in plan for source in each.sources)
        for each in plan:
            operands = [self._operand(tensor) for tensor in each.inputs]
            self._drop(readers)
            results = self._evaluate(each, operands)
            self._kept[each] = results
            self._kept_bytes += each.size
            readers.subtract(each.sources)
            readers[each] += 1  # its user, and often the next step
            self._drop(readers)
            readers[each] -= 1
        return self._kept[step]

    def _operand(self, tensor: Tensor) -> Array:
        if not isinstance(tensor, ComputedTensor):
            return tensor.numpy()
        self._kept.move_to_end(tensor.step)
        return tensor.of(self._kept[tensor.step])

    def _evaluate(self, step: Step, operands: Sequence[Array]) -> list[Array]:
        limits = Limits(self._most_elements(step), self._most, self._work)
        with limited(limits):
            arrays = evaluate(step.op, step.attrs, operands, [tensor.dtype for tensor in step.inputs])
        computed = [x for x, tensor in zip(operands, step.inputs, strict=True) if isinstance(tensor, ComputedTensor)]
        results = [_own(array, computed) for array in arrays]
        step.size = sum(map(_bytes, results))
        self._work = limits.work - sum(map(_work, (*operands, *results)))
        return results

    def _drop(self, readers: Counter[Step]) -> None:
        """Forget what was read longest ago and has no `readers`, until little is kept."""
        for _ in range(len(self._kept)):
            if self._kept_bytes <= _BYTES:
                return
            step = next(iter(self._kept))
            if readers[step] > 0:
                self._kept.move_to_end(step)
            else:
                del self._kept[step]
                self._kept_bytes -= step.size

    def _plan(self, step: Step, kept: Mapping[Step, object]) -> list[Step]:
        """What has to be computed for `step`, in order. The deepest operand comes first, so that few wait for it."""
        plan: dict[Step, None] = {}
        todo = [step]
        while todo:
            each = todo[-1]
            missing = [source for source in each.sources if source not in plan and source not in kept]
            if missing and each not in plan:
                todo += sorted(missing, key=lambda source: source.depth)
                continue
            todo.pop()
            plan[each] = None
        return list(plan)

    def _peak(self, step: Step) -> int:
        """Bytes that have to be held at one time to compute `step` when nothing is kept; without its own result."""
        plan = self._plan(step, {})
        readers = Counter(source for each in plan for source in each.sources)
        held = peak = 0
        for each in plan:
            held += each.size
            peak = max(peak, held)
            for source in each.sources:
                readers[source] -= 1
                held -= 0 if readers[source] else source.size
        return peak


def _own(array: Array, others: Sequence[Array]) -> Array:
    """`array`, or a copy where it holds on to more memory than its own, or to that of `others`."""
    base = array.base
    held = base.nbytes if isinstance(base, np.ndarray) else array.nbytes
    shared = held > 2 * array.nbytes or any(np.may_share_memory(array, other) for other in others)
    owned = array.copy() if shared or not array.flags.c_contiguous else array
    owned.flags.writeable = False
    return owned


def _texts(array: Array) -> Iterator[bytes]:
    return iter(array.reshape(-1).tolist()) if array.dtype == object else iter(())


def _bytes(array: Array) -> int:
    return array.nbytes + sum(len(text) + _STRING_BYTES for text in _texts(array))


def _work(array: Array) -> int:
    return array.size * (_STRING_WORK if array.dtype == object else 1)


def text_bytes(array: Array) -> int:
    """Bytes of all strings in an array."""
    return sum(map(len, _texts(array)))
