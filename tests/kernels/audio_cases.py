"""Sound."""

from __future__ import annotations

import struct
from collections.abc import Iterator

import numpy as np

from tests.kernels.operands import F4, Case, case, i4, numbers, strings


def wav(channels: int, samples: list[int], *, extra: bytes = b"", rate: int = 8000) -> bytes:
    data = struct.pack(f"<{len(samples)}h", *samples)
    form = struct.pack("<HHIIHH", 1, channels, rate, rate * 2 * channels, 2 * channels, 16) + extra
    chunks = b"WAVE" + b"fmt " + struct.pack("<I", len(form)) + form
    chunks += b"LIST" + struct.pack("<I", 4) + b"abcd" + b"data" + struct.pack("<I", len(data)) + data
    return b"RIFF" + struct.pack("<I", len(chunks)) + chunks


STEREO = wav(2, [0, 1, -1, 32767, -32768, 100, 7, 8])


def audio() -> Iterator[Case]:
    for attrs in ({}, {"desired_channels": 1}, {"desired_channels": 3}, {"desired_samples": 2}, {"desired_samples": 9}):
        yield case("DecodeWav", strings(STEREO), **attrs)
    yield case("DecodeWav", strings(wav(1, [5, 6], extra=b"\0\0")))
    sound = numbers(F4, 9, 2) / F4(4)
    yield case("EncodeWav", sound, i4(16000))
    yield case("EncodeWav", np.array([[0.5, 1.0, -1.0, 2.0, -2.0, 1.5 / 32768, -0.5 / 32768]], F4).T, i4(44100))
    for size, stride in ((8, 3), (13, 5), (9, 9), (2, 1)):
        for squared in (False, True):
            yield case("AudioSpectrogram", sound, window_size=size, stride=stride, magnitude_squared=squared)
    yield case("AudioSpectrogram", sound, window_size=10, stride=1)
    magnitudes = np.abs(numbers(F4, 2, 3, 129))
    yield case("Mfcc", magnitudes, i4(16000))
    yield case("Mfcc", magnitudes, i4(8000), upper_frequency_limit=3000.0, lower_frequency_limit=300.0)
    yield case("Mfcc", magnitudes, i4(16000), filterbank_channel_count=20, dct_coefficient_count=20)
    yield case("Mfcc", np.zeros([1, 2, 65], F4), i4(16000), filterbank_channel_count=10, dct_coefficient_count=4)
