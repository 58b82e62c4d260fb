"""How many inputs are tried before enough is known of two graphs, or a run takes too much."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from pbslim.errors import PbslimError
from pbslim.verification.batches import batch_size
from pbslim.verification.running import Batch

_BATCH = 4  # samples of a batch, unless they are large
_FEW, _PATIENCE = 4, 4  # so many inputs are tried even if they take so many times as long as they should
# Bytes that outputs may hold: for any graph, for each byte of its file, for each byte that it is fed
_HELD, _HELD_PER_FILE_BYTE, _HELD_PER_FED_BYTE = 4 << 20, 8, 64


@dataclass(frozen=True)
class Patience:
    """Whether to stop, asked after each batch.

    Attributes:
        batches: how many are to be tried.
        budget: seconds after which no further inputs are tried.
        most_held: bytes that the outputs may have together; None for any.
        on_progress: called with the number of batches done, and of all.
    """

    batches: int
    budget: float | None
    most_held: int | None
    on_progress: Callable[[int, int], None] | None

    def is_over(self, done: int, samples: int, seconds: float, held: int) -> bool:
        """Whether to stop after `done` batches of so many samples that took so many seconds and gave so many bytes.

        Raises:
            PbslimError: the first batch already gave more bytes than all may have.
        """
        if self.on_progress:
            self.on_progress(done, self.batches)
        if self.most_held is not None and held > self.most_held:
            if done == 1:
                raise PbslimError(f"its outputs have {held} bytes, which is a lot for its size")
            return True
        return self.budget is not None and seconds > (self.budget if samples >= _FEW else _PATIENCE * self.budget)


def likely_held(file_bytes: int, batch: Batch) -> int:
    """Bytes that the outputs of a graph are likely to have at most, by the size of its file and of what it is fed."""
    size = max(batch_size(batch), 1)
    fed = sum(np.asarray(value).nbytes for value in batch.values()) * max(size, _BATCH) // size
    return _HELD + _HELD_PER_FILE_BYTE * file_bytes + _HELD_PER_FED_BYTE * fed
