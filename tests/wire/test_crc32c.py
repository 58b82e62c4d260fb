"""Checksums, by the compiled package and by numpy alone."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pbslim.wire.crc32c import extend, extend_in_lanes, masked, unmasked


@pytest.mark.parametrize("extends", [extend, extend_in_lanes])
@pytest.mark.parametrize(
    ("message", "checksum"),
    [
        (b"", 0),
        (b"a", 0xC1D04330),
        (b"123456789", 0xE3069283),
        (bytes(32), 0x8A9136AA),  # this and the next: the examples of RFC 3720
        (bytes(range(32)), 0x46DD794E),
    ],
)
def test_published_checksums(extends: object, message: bytes, checksum: int) -> None:
    assert callable(extends)
    assert extends(0, message) == checksum


def test_the_mask_of_no_bytes() -> None:
    assert masked(0) == 0xA282EAD8
    assert unmasked(0xA282EAD8) == 0


@given(st.integers(0, 2**32 - 1))
def test_a_mask_is_undone(checksum: int) -> None:
    assert unmasked(masked(checksum)) == checksum


@given(st.binary(max_size=3000), st.binary(max_size=3000))
def test_a_message_may_come_in_parts(first: bytes, second: bytes) -> None:
    assert extend_in_lanes(extend(0, first), second) == extend(0, first + second)
