"""Make src/pbslim/verification/photographs/photographs.npz from the original pictures.

    python scripts/make_photographs.py FOLDER

FOLDER holds the pictures under the names in the first column of ``SOURCES.md``; the third column says which package
each is from and what it is called there. The square in the fourth column (left, top and side), or the middle one where
none is stated, is scaled down. Needs Pillow.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image

from pbslim.verification.photographs import CHROMA_STEPS, COSINES, LUMA_STEPS, SIZE

TARGET = Path(__file__).parents[1] / "src" / "pbslim" / "verification" / "photographs"


def listed() -> dict[str, str]:
    """The names of the pictures in order → the square of each, empty for the middle one."""
    rows = re.findall(r"^\| `(.*?)` \|.*?\|.*?\|(.*?)\|", (TARGET / "SOURCES.md").read_text(), re.MULTILINE)
    return {name: square.strip() for name, square in rows}


def square(path: Path, stated: str) -> npt.NDArray[np.float64]:
    """A square of a picture as Y, Cb and Cr around zero, in shape [SIZE, SIZE, 3]."""
    picture = Image.open(path).convert("RGB")
    side = min(picture.size)
    left, top = ((length - side) // 2 for length in picture.size)
    if stated:
        left, top, side = map(int, stated.split())
    cut = picture.crop((left, top, left + side, top + side)).resize((SIZE, SIZE), Image.Resampling.LANCZOS)
    return np.asarray(cut.convert("YCbCr")).astype(np.float64) - 128


def coefficients(planes: npt.NDArray[np.float64], steps: npt.NDArray[np.float64]) -> npt.NDArray[np.int8]:
    """Planes [n, h, w] as rounded coefficients [frequency down, frequency across, n, h / 8, w / 8]."""
    count, height, width = planes.shape
    blocks = planes.reshape(count, height // 8, 8, width // 8, 8)
    found = np.einsum("vy,ux,nhywx->vunhw", COSINES, COSINES, blocks, optimize=True)
    codes = np.rint(found / steps[:, :, None, None, None])
    if np.abs(codes).max() > np.iinfo(np.int8).max:
        raise SystemExit("a coefficient does not fit in 8 bits; make the steps larger")
    return codes.astype(np.int8)


def main() -> None:
    """Write the file."""
    pictures = np.stack([square(Path(sys.argv[1]) / name, stated) for name, stated in listed().items()])
    halved = pictures[..., 1:].reshape(len(pictures), SIZE // 2, 2, SIZE // 2, 2, 2).mean(axis=(2, 4))
    luma = coefficients(pictures[..., 0], LUMA_STEPS)
    blue, red = (coefficients(halved[..., i], CHROMA_STEPS) for i in (0, 1))
    np.savez_compressed(TARGET / "photographs.npz", luma=luma, blue=blue, red=red)


if __name__ == "__main__":
    main()
