"""Sound: WAV files, spectrograms, and mel-frequency cepstral coefficients."""

from __future__ import annotations

import struct
from typing import Any

import numpy as np

from pbslim.kernels.checks import Array, KernelError, check_products, checked_shape, require, scalar
from pbslim.kernels.registry import Attributes, kernel

_HEADER = 44
_PCM = 1
_FLOOR = 1e-12  # of what the logarithm is taken of
_MAX_FFT = 2**20


@kernel("DecodeWav", takes="string")
def _decode_wav(attrs: Attributes, contents: Array) -> list[Array]:
    """Samples between -1 and 1 as [samples, channels], and their rate; missing channels are copies of the last."""
    channels, rate, data = _wav(bytes(scalar(contents, "contents")))
    samples = np.frombuffer(data, "<i2").reshape(-1, channels)
    wanted, count = attrs.integer("desired_channels", -1), attrs.integer("desired_samples", -1)
    wanted, count = (channels if wanted == -1 else wanted), (len(samples) if count == -1 else count)
    require(wanted > 0, f"{wanted} is not a number of channels")
    result = np.zeros(checked_shape([count, wanted]), np.float32)
    samples = samples[:count, np.minimum(np.arange(wanted), channels - 1)]
    result[: len(samples)] = samples / np.float32(1 << 15)
    return [result, np.array(rate, np.int32)]


def _wav(data: bytes) -> tuple[int, int, bytes]:
    """Channels, sample rate and 16 bit samples of a WAV file."""
    require(data[:4] == b"RIFF" and data[8:12] == b"WAVE", "it is not a WAV file")
    position, form = 12, None
    while position + 8 <= len(data):
        name, size = data[position : position + 4], int.from_bytes(data[position + 4 : position + 8], "little")
        body = data[position + 8 : position + 8 + size]
        if name == b"fmt ":
            require(len(body) == size >= 16, "the format of the samples is cut off")
            form = struct.unpack_from("<HHIIHH", body)
        elif name == b"data":
            if form is None:
                break
            kind, channels, rate, _, frame, bits = form
            require(kind == _PCM and bits == 16 and channels and frame == 2 * channels, "only 16 bit PCM can be read")
            require(len(body) == size, "the samples are cut off")
            return channels, rate, body[: size - size % frame]
        position += 8 + size + size % 2
    raise KernelError("there are no samples in the WAV file")


@kernel("EncodeWav", takes="float int32")
def _encode_wav(_attrs: Attributes, audio: Array, sample_rate: Array) -> Array:
    """16 bit samples; what is beyond -1 and 1 is cut."""
    require(audio.ndim == 2, "audio must have samples and channels")
    rate, channels = int(scalar(sample_rate, "sample_rate")), audio.shape[1]
    require(0 < channels < 1024 and rate > 0, "a WAV file has at least one channel and a positive rate")
    require(not np.isnan(audio).any(), "there are NaN among the samples")
    scaled = audio * np.float32(1 << 15)
    rounded = np.trunc(scaled + np.copysign(np.float32(0.5), scaled)).clip(-(1 << 15), (1 << 15) - 1)
    data = rounded.astype("<i2").tobytes()
    frame = 2 * channels
    header = struct.pack("<4sI4s4sI", b"RIFF", _HEADER - 8 + len(data), b"WAVE", b"fmt ", 16)
    header += struct.pack("<HHIIHH4sI", _PCM, channels, rate, rate * frame, frame, 16, b"data", len(data))
    return np.array(header + data, object)


@kernel("AudioSpectrogram", takes="float")
def _spectrogram(attrs: Attributes, audio: Array) -> Any:
    """Magnitudes of each channel's frequencies, of windows that fade in and out; computed in double precision."""
    require(audio.ndim == 2, "input must have samples and channels")
    size, stride = attrs.integer("window_size"), attrs.integer("stride")
    require(1 < size <= _MAX_FFT and stride > 0, "window_size and stride must be positive, and a window of 2 at least")
    length = 1 << (size - 1).bit_length()
    count = max((len(audio) - size) // stride + 1, 0)
    shape = checked_shape([audio.shape[1], count, length // 2 + 1])
    checked_shape([audio.shape[1], count, 4 * length], "the windows together")
    if not count:
        return np.zeros(shape, np.float32)
    fade = 0.5 - 0.5 * np.cos(2 * np.pi / size * np.arange(size))
    windows = np.lib.stride_tricks.sliding_window_view(audio.T.astype(np.float64), size, 1)[:, ::stride]
    found = np.fft.rfft(windows * fade, length)
    power = found.real**2 + found.imag**2
    return (power if attrs.flag("magnitude_squared") else np.sqrt(power)).astype(np.float32)


def _mel(frequency: Any) -> Any:
    return 1127 * np.log1p(frequency / 700)


def _filter_bank(attrs: Attributes, bins: int, rate: float) -> Array:
    """How much of each frequency each channel takes: triangles that overlap by half, equally wide in mel."""
    channels = attrs.integer("filterbank_channel_count", 40)
    lower, upper = (float(attrs.number(f"{e}_frequency_limit", d)) for e, d in (("lower", 20.0), ("upper", 4000.0)))
    require(channels > 0 and bins > 1 and rate > 0, "there are no channels, frequencies or samples")
    require(0 <= lower < upper, f"there is no frequency between {lower} and {upper}")
    step = 0.5 * rate / (bins - 1)
    edges = _mel(lower) + (_mel(upper) - _mel(lower)) / (channels + 1) * np.arange(channels + 2)
    mels = _mel(np.arange(bins) * step)
    band = np.searchsorted(edges[1 : channels + 1], mels, "left")  # the channel that rises there
    falling = (edges[band + 1] - mels) / (edges[band + 1] - edges[band])
    weights = np.zeros(checked_shape([bins, channels + 2], "the filters"))
    every = np.arange(bins)
    weights[every, band] += falling
    weights[every, band + 1] += 1 - falling
    weights[: int(1.5 + lower / step)] = 0
    weights[int(upper / step) + 1 :] = 0
    return weights[:, 1 : channels + 1]


@kernel("Mfcc", takes="float int32")
def _mfcc(attrs: Attributes, spectrogram: Array, sample_rate: Array) -> Any:
    """The cosine transform of the logarithms of the magnitudes in each band, from squared magnitudes."""
    require(spectrogram.ndim == 3, "spectrogram must have channels, times and frequencies")
    count = attrs.integer("dct_coefficient_count", 13)
    bank = _filter_bank(attrs, spectrogram.shape[-1], float(scalar(sample_rate, "sample_rate")))
    channels = bank.shape[1]
    require(0 < count <= channels, f"{count} coefficients of {channels} channels")
    shape = checked_shape([*spectrogram.shape[:-1], count])
    check_products(spectrogram.size * channels, bank.dtype)
    energies = np.sqrt(spectrogram.astype(np.float64)).reshape(-1, spectrogram.shape[-1]) @ bank
    angles = np.pi / channels * np.arange(count)[:, None] * (np.arange(channels) + 0.5)
    transform = np.sqrt(2 / channels) * np.cos(angles)
    return (np.log(np.maximum(energies, _FLOOR)) @ transform.T).astype(np.float32).reshape(shape)
