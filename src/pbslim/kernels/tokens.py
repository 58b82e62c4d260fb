"""Strings split into tokens, and n-grams of tokens."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import numpy as np

from pbslim.dtypes import INT64
from pbslim.kernels.checks import Array, check_objects, require, scalar, vector
from pbslim.kernels.registry import Attributes, kernel
from pbslim.kernels.strings import string_array

_BLANKS = b" \t\n\v\f\r"


def _sparse(rows: list[list[bytes]]) -> list[Array]:
    """Tokens of each string as a sparse matrix: indices, values, shape."""
    count = sum(map(len, rows))
    check_objects(count)
    indices = np.array([(i, j) for i, row in enumerate(rows) for j in range(len(row))], np.int64).reshape(count, 2)
    shape = np.array([len(rows), max(map(len, rows), default=0)], np.int64)
    return [indices, string_array((token for row in rows for token in row), (count,)), shape]


@kernel("StringSplit", takes="string string")
def _split(attrs: Attributes, x: Array, delimiter: Array) -> list[Array]:
    """At each byte that is one of the delimiters; without any, into bytes."""
    require(x.ndim == 1, "input must be a vector")
    marks, skips = scalar(delimiter, "delimiter"), attrs.flag("skip_empty", True)
    rows = []
    for text in x.tolist():
        if marks:
            parts = text.translate(bytes.maketrans(marks, marks[:1] * len(marks))).split(marks[:1])
        else:
            parts = [text[i : i + 1] for i in range(len(text))]
        rows.append([part for part in parts if part or (text and not skips)])
    return _sparse(rows)


@kernel("StringSplitV2", takes="string string")
def _split_v2(attrs: Attributes, x: Array, separator: Array) -> list[Array]:
    """At each separator; an empty one means runs of blanks. After `maxsplit` times comes the rest, even if empty."""
    require(x.ndim == 1, "input must be a vector")
    mark, most = scalar(separator, "sep"), attrs.integer("maxsplit", -1)
    return _sparse([_parts(text, mark, most) for text in x.tolist()])


def _parts(text: bytes, mark: bytes, most: int) -> list[bytes]:
    if mark or most <= 0:
        return text.split(mark or None, most) if most else [text]
    parts: list[bytes] = []
    rest = text.lstrip(_BLANKS)
    while rest:
        parts.append(rest.split(None, 1)[0])
        rest = rest[len(parts[-1]) :].lstrip(_BLANKS)
        if len(parts) == most:
            return [*parts, rest]
    return parts


@kernel("StringNGrams", takes="string index")
def _ngrams(attrs: Attributes, data: Array, splits: Array) -> list[Array]:
    """Runs of tokens of each row, shorter ones filled up at its ends; also where the n-grams of each row begin."""
    require(data.ndim == 1, "data must be a vector")
    ends = vector(splits, "data_splits") if splits.size else [0]
    require(ends[0] == 0 and ends[-1] == data.size and ends == sorted(ends), "data_splits do not fit the data")
    maker = _NGrams(attrs)
    tokens = data.tolist()
    rows = [list(maker.row(tokens[a:b])) for a, b in pairwise(ends)]
    offsets = np.cumsum([0, *map(len, rows)]).astype(splits.dtype)
    check_objects(int(offsets[-1]))
    return [string_array((ngram for row in rows for ngram in row), (int(offsets[-1]),)), offsets]


class _NGrams:
    """The attributes of StringNGrams."""

    def __init__(self, attrs: Attributes) -> None:
        self.separator, self.left, self.right = (
            attrs.text(name).encode("latin-1") for name in ("separator", "left_pad", "right_pad")
        )
        self.widths, self.pad = attrs.integers("ngram_widths"), attrs.integer("pad_width")
        self.keeps_short = attrs.flag("preserve_short_sequences", None)
        require(min(self.widths, default=1) > 0, "ngram_widths must be positive")

    def row(self, tokens: list[bytes]) -> Iterator[bytes]:
        """The n-grams of one row, for each width."""
        found = False
        for width in self.widths:
            pad = width - 1 if self.pad < 0 else min(self.pad, width - 1)
            padded = [self.left] * pad + tokens + [self.right] * pad
            for start in range(len(padded) - width + 1):
                found = True
                yield self.separator.join(padded[start : start + width])
        if self.keeps_short and tokens and not found:
            pad = max(self.pad, 0)
            yield self.separator.join([self.left] * pad + tokens + [self.right] * pad)


@kernel("UnicodeTranscode", takes="string")
def _transcode(attrs: Attributes, x: Array) -> Any:
    """UTF-8 as it is; other encodings and what is broken are not looked at."""
    for name in ("input_encoding", "output_encoding"):
        encoding = attrs.text(name)
        require(encoding in ("UTF-8", "UTF8"), f"{name} '{encoding}' is not supported")
    require(not attrs.flag("replace_control_characters"), "control characters are not replaced")
    for text in x.reshape(-1).tolist():
        text.decode()
    return x


def _decoded(attrs: Attributes, x: Array) -> tuple[list[str], Array, Array]:
    """The texts, where the code points of each begin, and the code points of all."""
    encoding = attrs.text("input_encoding")
    require(encoding in ("UTF-8", "UTF8"), f"input_encoding '{encoding}' is not supported")
    require(not attrs.flag("replace_control_characters"), "control characters are not replaced")
    rows = [text.decode() for text in x.reshape(-1).tolist()]
    check_objects(sum(map(len, rows)))
    starts = np.cumsum([0, *map(len, rows)]).astype(attrs.array_dtype("Tsplits", INT64))
    return rows, starts, np.array([ord(char) for row in rows for char in row], np.int32)


@kernel("UnicodeDecode", takes="string")
def _decode(attrs: Attributes, x: Array) -> list[Array]:
    return [*_decoded(attrs, x)[1:]]


@kernel("UnicodeDecodeWithOffsets", takes="string")
def _decode_with_offsets(attrs: Attributes, x: Array) -> list[Array]:
    """Also at which byte of its text each code point begins."""
    rows, starts, points = _decoded(attrs, x)
    widths = [[len(char.encode()) for char in row] for row in rows]
    offsets = [int(n) for row in widths for n in np.cumsum([0, *row])[:-1]]
    return [starts, points, np.array(offsets, np.int64)]
