"""Round the weights of a linear op so that its outputs, rather than its weights, move as little as possible.

Rows are rounded one after the other, and the error of each is spread over the rows that are still to come, as the
second moments of the inputs say is best. The method is OBQ as GPTQ orders it (Frantar et al. 2022, arXiv:2210.17323).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from pbslim.kept import Kept

Array = npt.NDArray[Any]
Choose = Callable[[Array, int], Array]
"""Real codes of one row [N] and the row's number → whole codes [N]."""

_BLOCK, _STRIP = 64, 8  # rows: errors are spread one by one in a strip, over its block and the rest by products
_PANEL = 256  # columns that are factored together
_WIDEST_EXACT = 1500  # rows up to which factors in double precision cost little
_WIDEST_DENSE = 4096  # rows up to which the moments are one matrix, 128 MB in double precision
_DIAGONAL_BLOCK = 2048
_SHRINKAGE, _DAMPING = 0.1, 0.01


def diagonal_blocks(rows: int) -> list[slice]:
    """How the second moments of `rows` inputs are split: one block, or several where one matrix would be huge."""
    if rows <= _WIDEST_DENSE:
        return [slice(0, rows)]
    return [slice(at, min(at + _DIAGONAL_BLOCK, rows)) for at in range(0, rows, _DIAGONAL_BLOCK)]


class Compensation:
    """What the rounding of one group of rows needs to know of their inputs.

    Attributes:
        order: the rows, those with the strongest inputs first.
        bands: upper triangular U with ``inv(H) = U.T @ U``, for the rows in that order, as a band of rows for each
            block, from the diagonal on: half of U is zeros. Those of many rows are in a file.
        diagonal: that of U.
    """

    def __init__(self, moments: Array) -> None:
        """Factor second moments.

        Args:
            moments: H [K, K], ``X.T @ X / n`` or the covariance of the inputs; positive semi-definite.
        """
        diagonal = np.diag(moments).astype(np.float64)
        self.order = np.argsort(-diagonal, kind="stable")
        factor = _factor(moments[np.ix_(self.order, self.order)], diagonal[self.order])
        self.bands: list[Array] | Kept = Kept() if len(factor) > _WIDEST_EXACT else []
        for at in range(0, len(factor), _BLOCK):
            self.bands.append(factor[at : at + _BLOCK, at:].copy())
        self.diagonal = np.diag(factor).copy()

    def round(self, codes: Array, choose: Choose) -> Array:
        """Whole codes for real ones.

        Args:
            codes: weights in units of their steps, [K, N].
            choose: rounds one row; the error it makes is spread over the rows that follow.

        Returns:
            float32 [K, N] of whole numbers.
        """
        left = codes[self.order].astype(self.diagonal.dtype, copy=False)  # whole numbers in the rows that are done
        for start, band in zip(range(0, len(left), _BLOCK), self.bands, strict=True):
            count = len(band)
            stop = start + count
            errors = np.empty_like(left[start:stop])
            for i, row in enumerate(range(start, stop)):
                rounded = choose(left[row], row)
                errors[i] = (left[row] - rounded) / band[i, i]
                left[row] = rounded
                spread = i // _STRIP * _STRIP
                near = min(spread + _STRIP, count)
                left[row + 1 : start + near] -= band[i, i + 1 : near, None] * errors[i]
                if i + 1 == near:
                    left[start + near : stop] -= band[spread:near, near:count].T @ errors[spread:near]
            left[stop:] -= band[:, count:].T @ errors
        result = np.empty(codes.shape, np.float32)
        result[self.order] = left
        return result


def _factor(moments: Array, diagonal: Array) -> Array:
    """U for moments pulled towards their diagonal, as few samples overstate how inputs go together, and off zero.

    The moments are overwritten where they are in the precision that is used.
    """
    dtype = np.float64 if len(moments) <= _WIDEST_EXACT else np.float32
    regular: Array = moments.astype(dtype, copy=False)
    regular *= 1 - _SHRINKAGE
    least = _DAMPING * diagonal.mean() if diagonal.any() else 1.0
    while True:
        np.fill_diagonal(regular, diagonal + least)
        try:
            # With rows and columns reversed, the lower Cholesky factor turns into an upper one: H = M M', U = inv(M).
            upper = _cholesky(regular[::-1, ::-1])[::-1, ::-1].astype(dtype, copy=False)
            break
        except np.linalg.LinAlgError:  # not positive definite, by rounding
            least *= 10
    del moments, regular
    return _inverse_of_upper(upper)


def _cholesky(matrix: Array) -> Array:
    """The lower Cholesky factor, float64.

    That of numpy takes six times the memory of a matrix in single precision, so large ones are factored in blocks.

    Raises:
        LinAlgError: the matrix is not positive definite.
    """
    if len(matrix) <= _WIDEST_EXACT:
        return np.asarray(np.linalg.cholesky(matrix))
    left = matrix.astype(np.float64)
    for start in range(0, len(left), _PANEL):
        stop = start + _PANEL
        corner = np.linalg.cholesky(left[start:stop, start:stop])
        panel = left[stop:, start:stop] @ np.linalg.inv(corner).T
        left[start:stop, start:stop], left[stop:, start:stop], left[start:stop, stop:] = corner, panel, 0
        for at in range(stop, len(left), _PANEL):
            left[at:, at : at + _PANEL] -= panel[at - stop :] @ panel[at - stop : at - stop + _PANEL].T
    return left


def _inverse_of_upper(upper: Array) -> Array:
    half = len(upper) // 2
    if half < _BLOCK:
        return np.triu(np.linalg.inv(upper))
    first, last = _inverse_of_upper(upper[:half, :half]), _inverse_of_upper(upper[half:, half:])
    result = np.zeros_like(upper)
    result[:half, :half], result[half:, half:] = first, last
    result[:half, half:] = -(first @ upper[:half, half:]) @ last
    return result


def depthwise_factors(moments: Array) -> Array:
    """The same factors for many small groups of rows at once, in the order of the rows.

    Args:
        moments: [C, K, K], those of the K inputs of each channel.

    Returns:
        Upper triangular [C, K, K].
    """
    diagonal = np.diagonal(moments, axis1=1, axis2=2).astype(np.float64)
    least = _DAMPING * diagonal.mean(axis=1, keepdims=True)
    least[least == 0] = 1.0
    regular = moments.astype(np.float64) * (1 - _SHRINKAGE)
    every = np.arange(moments.shape[1])
    regular[:, every, every] = diagonal + least
    upper = np.linalg.cholesky(regular[:, ::-1, ::-1])[:, ::-1, ::-1]
    return np.triu(np.linalg.inv(upper))


def round_depthwise(codes: Array, factors: Array, choose: Choose) -> Array:
    """Whole codes for the real codes of a depthwise convolution, each channel compensated on its own.

    Args:
        codes: weights in units of their steps, [K, C].
        factors: of `depthwise_factors`, [C, K, K].

    Returns:
        float32 [K, C] of whole numbers.
    """
    left = codes.astype(np.float64)
    rounded = np.empty_like(left)
    for row in range(len(left)):
        rounded[row] = choose(left[row], row)
        error = (left[row] - rounded[row]) / factors[:, row, row]
        left[row + 1 :] -= factors[:, row, row + 1 :].T * error
    return rounded.astype(np.float32)


def blocks_of(moments: Iterable[Array]) -> Iterator[tuple[slice, Compensation]]:
    """The rows of each diagonal block of the moments, with what rounding them needs."""
    at = 0
    for block in moments:
        yield slice(at, at + len(block)), Compensation(block)
        at += len(block)
