"""What was decided for each weight, as a file that can be read, changed and replayed."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from pbslim._version import __version__
from pbslim.errors import UsageError

FORMAT = 1
_BUILTIN = "builtin"


@dataclass(frozen=True)
class Choice:
    """How one weight is stored.

    Attributes:
        coarseness: steps per root mean square of a channel, as asked for.
        form: what its elements are stored as.
        bits: about what an element takes.
        noise: what it does alone at that coarseness: the power of the change of the outputs as a part of that of their
            signal, predicted.
        why: for people, why it is stored in this way.
    """

    name: str
    kind: str
    elements: int
    coarseness: float
    form: str
    bits: float
    noise: float
    why: str


@dataclass(frozen=True)
class Plan:
    """A compression that can be replayed to the same bytes, with the same version of pbslim and numpy.

    Attributes:
        model: SHA-256 of the file that was compressed.
        calibrate: the file or folder of inputs that were given; None for generated ones.
        origin: what the inputs are.
        snr: that the search has found, in dB.
        keep, rules: what was given for some weights.
        form: of weights in the file, of `pbslim.compression.writing`.
        effort: what was spent.
        stays: whether weights are decoded anew in each run.
        engine: what has run the search; plans of before it could be chosen do not say so.
        exact_vectors: whether vectors are float16 only where that is exact.
        trellis: whether weights were coded along one, where that suits them.
    """

    model: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    calibrate: str | None
    origin: str
    snr: float
    keep: tuple[str, ...]
    rules: tuple[str, ...]
    form: str
    effort: str
    stays: bool
    choices: tuple[Choice, ...]
    engine: str = _BUILTIN
    exact_vectors: bool = False
    trellis: bool = False

    @property
    def coarseness(self) -> dict[str, float]:
        """The steps per rms of each weight."""
        return {choice.name: choice.coarseness for choice in self.choices}

    def to_json(self) -> str:
        """As a file holds it."""
        return json.dumps({"format": FORMAT, "pbslim": __version__, **asdict(self)}, indent=1) + "\n"

    @classmethod
    def read(cls, path: Path) -> Plan:
        """The plan in a file.

        Raises:
            UsageError: it cannot be read, is none, or is of a later format.
        """
        try:
            content: Mapping[str, Any] = json.loads(path.read_text("utf-8"))
            if content["format"] != FORMAT:
                raise UsageError(f"'{path}' has format {content['format']!r}, this release reads {FORMAT}")
            content = {"engine": _BUILTIN, "exact_vectors": False, "trellis": False, **content}
            known = {name: content[name] for name in cls.__dataclass_fields__}
            choices = tuple(Choice(**each) for each in content["choices"])
            lists = {name: tuple(known[name]) for name in ("inputs", "outputs", "keep", "rules")}
            return cls(**{**known, **lists, "choices": choices})
        except OSError as error:
            raise UsageError(f"cannot read '{path}': {error.strerror or error}") from None
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise UsageError(f"'{path}' is not a plan that 'pbslim shrink' has written: {error}") from None


def fingerprint(path: Path) -> str:
    """SHA-256 of a file."""
    with path.open("rb") as file:
        digest = hashlib.sha256()
        while piece := file.read(1 << 20):
            digest.update(piece)
        return digest.hexdigest()
