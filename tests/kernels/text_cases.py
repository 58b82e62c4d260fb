"""Tokens, n-grams, regular expressions, code points."""

from __future__ import annotations

from collections.abc import Iterator

from pbslim.dtypes import INT32
from tests.kernels.operands import Case, case, i4, i8, strings

TEXTS = strings([b"a b  c", b" lead and trail ", b"", b"x,y;z", b",,", b"one", b"a\tb\nc", b"\xc3\xa4 \xe2\x82\xac"])


def tokens() -> Iterator[Case]:
    for delimiter in (b" ", b",;", b"", b"zz"):
        for skip in (True, False):
            yield case("StringSplit", TEXTS, strings(delimiter), skip_empty=skip)
    for separator in (b"", b" ", b",", b"  ", b"zz"):
        for most in (-1, 0, 1, 2):
            yield case("StringSplitV2", TEXTS, strings(separator), maxsplit=most)
    yield case("StringSplitV2", TEXTS[:0], strings(b""))
    words = strings([b"a", b"bb", b"c", b"dd", b"e", b"f"])
    common = {"separator": b"|", "left_pad": b"<", "right_pad": b">"}
    for widths in ((1,), (2,), (2, 4), (3, 1)):
        for pad in (-1, 0, 1, 2):
            for keep in (False, True):
                attrs = {"ngram_widths": widths, "pad_width": pad, "preserve_short_sequences": keep, **common}
                yield case("StringNGrams", words, i8([0, 3, 3, 4, 6]), **attrs)
    attrs = {"ngram_widths": (2,), "pad_width": 0, "preserve_short_sequences": False, **common}
    yield case("StringNGrams", words, i4([0, 6]), **attrs)
    yield case("StringNGrams", words[:0], i8([0]), **attrs)


def patterns() -> Iterator[Case]:
    for pattern, rewrite in (
        (b"[^a-z]", b""),
        (b"(\\w)(\\s+)", b"<\\2\\1>"),
        (b"a|b", b"\\0\\0"),
        (b"[[:punct:]]+", b" "),
        (b"^\\s*|\\s*$", b""),
        (b".", b"."),
        (b"(?i)ONE|LEAD", b"1"),
        (b"x{0,2}y*", b"-"),
    ):
        for everywhere in (True, False):
            yield case("RegexReplace", TEXTS, strings(pattern), strings(rewrite), replace_global=everywhere)
        yield case("StaticRegexReplace", TEXTS, pattern=pattern, rewrite=rewrite)
        yield case("RegexFullMatch", TEXTS, strings(pattern))
        yield case("StaticRegexFullMatch", TEXTS, pattern=pattern)


def code_points() -> Iterator[Case]:
    utf8 = {"input_encoding": b"UTF-8"}
    yield case("UnicodeTranscode", TEXTS, output_encoding=b"UTF-8", **utf8)
    yield case("UnicodeDecode", TEXTS, **utf8)
    yield case("UnicodeDecode", TEXTS, Tsplits=INT32, **utf8)
    yield case("UnicodeDecodeWithOffsets", TEXTS, **utf8)  # with int32, TensorFlow aborts
