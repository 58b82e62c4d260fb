"""The transforms: each module holds one, under its own name, and is imported when it is asked for.

>>> from pbslim.transforms import fold_constants, round_weights
>>> pbslim.transform(graph, [fold_constants(), round_weights(num_steps=64)], inputs=["x"], outputs=["y"])
"""

from pbslim import lazy

__getattr__, __dir__ = lazy.attach(__name__)
