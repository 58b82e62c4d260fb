"""What strings of bytes stand for: numbers, compressed data, Base64."""

from __future__ import annotations

import base64
import re
import zlib
from typing import Any

import numpy as np

from pbslim.dtypes import FLOAT
from pbslim.kernels.checks import Array, checked_shape, require, require_defined
from pbslim.kernels.limits import current
from pbslim.kernels.registry import Attributes, kernel
from pbslim.kernels.strings import each_string

_WHOLE = re.compile(rb"\s*-?[0-9]+\s*")
_DECIMAL = re.compile(rb"\s*[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?\s*")
_MAX_DIGITS = 400


@kernel("StringToNumber", takes="string")
def _string_to_number(attrs: Attributes, x: Array) -> Any:
    target = attrs.array_dtype("out_type", FLOAT)
    require(target in (np.float32, np.float64, np.int32, np.int64), f"strings are not turned into {target}")
    pattern = _DECIMAL if target.kind == "f" else _WHOLE
    texts = x.reshape(-1).tolist()
    for text in texts:
        require(
            len(text) <= _MAX_DIGITS and pattern.fullmatch(text), f"{text[:40]!r} is not a plain number of {target}"
        )
    if target.kind == "i":
        return np.array([int(text) for text in texts], target).reshape(x.shape)
    numbers = np.array([float(text) for text in texts], np.float64)
    require(np.isfinite(numbers).all(), "a number is too large")
    return (numbers if target == np.float64 else _singles(numbers)).reshape(x.shape)


def _singles(numbers: Array) -> Any:
    """As if each had been rounded once from its decimals; raises `KernelError` where that is not certain."""
    singles = numbers.astype(np.float32)
    low_bits = numbers.view(np.uint64) & np.uint64((1 << 29) - 1)
    require_defined(lambda: (low_bits != 1 << 28).all(), "a number lies halfway between two of float")
    tiny = np.finfo(np.float32).tiny
    require_defined(lambda: ((np.abs(singles) > tiny) | (numbers == 0)).all(), "a number is too small")
    require(np.isfinite(singles).all(), "a number is too large")
    return singles


@kernel("DecodeRaw", takes="string")
def _decode_raw(attrs: Attributes, x: Array) -> Any:
    """The bytes of the numbers, one after the other."""
    target, little = attrs.array_dtype("out_type"), attrs.flag("little_endian", True)
    require(target.kind not in "bO", f"no bytes of {target}")
    require(little or target.kind != "c", "complex numbers are little endian")
    texts = x.reshape(-1).tolist()
    require(texts, "without strings there is no length")
    length = len(texts[0])
    require(all(len(text) == length for text in texts), "the strings differ in length")
    require(length % target.itemsize == 0, f"{length} bytes are not made of numbers of {target.itemsize} bytes")
    shape = checked_shape([*x.shape, length // target.itemsize])
    octets = np.frombuffer(b"".join(texts), np.uint8)
    if not little:
        octets = octets.reshape(-1, target.itemsize)[:, ::-1].reshape(-1)
    return octets.view(target).reshape(shape)


_WINDOW_BITS = {"ZLIB": zlib.MAX_WBITS, "GZIP": zlib.MAX_WBITS | 16}


@kernel("DecodeCompressed", takes="string")
def _decode_compressed(attrs: Attributes, x: Array) -> Any:
    method = attrs.text("compression_type", "")
    if not method:
        return x
    require(method in _WINDOW_BITS, f"compression_type '{method}' is not known")
    most = left = current().text

    def unpacked(text: bytes) -> bytes:
        nonlocal left
        stream = zlib.decompressobj(_WINDOW_BITS[method])
        try:
            data = stream.decompress(text, left + 1)
        except zlib.error as error:
            raise ValueError(str(error)) from None
        left -= len(data)
        require(left >= 0, f"the result would have more than {most} bytes")
        require(stream.eof and not stream.unused_data, "the data do not end where they should")
        return data

    return each_string(unpacked, x)


@kernel("EncodeBase64", takes="string")
def _encode_base64(attrs: Attributes, x: Array) -> Any:
    """With the letters for addresses in the web."""
    if attrs.flag("pad"):
        return each_string(base64.urlsafe_b64encode, x)
    return each_string(lambda text: base64.urlsafe_b64encode(text).rstrip(b"="), x)


@kernel("DecodeBase64", takes="string")
def _decode_base64(_attrs: Attributes, x: Array) -> Any:
    return each_string(_from_base64, x)


def _from_base64(text: bytes) -> bytes:
    letters = text.rstrip(b"=")
    padded = letters + b"=" * (-len(letters) % 4)
    require(text in (letters, padded), "the padding is not right")
    data = base64.b64decode(padded, b"-_", validate=True)
    require(base64.urlsafe_b64encode(data) == padded, "it is not how Base64 writes any string")
    return data
