"""The transforms: each module holds one, under its own name, and is imported when it is asked for.

>>> from pbslim.transforms import fold_constants, round_weights
>>> pbslim.transform(graph, [fold_constants(), round_weights(num_steps=64)], inputs=["x"], outputs=["y"])
"""

from typing import Any

from pbslim import lazy
from pbslim.passes import registry

registry.provide(__name__)


def __getattr__(name: str) -> Any:
    return lazy.load(__name__, name)


def __dir__() -> list[str]:
    return sorted(lazy.places(__name__))
