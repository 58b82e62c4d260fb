"""pbslim: make frozen TensorFlow graphs small, without TensorFlow.

>>> import pbslim
>>> graph = pbslim.load("model.pb")
>>> pbslim.transform(graph, "strip_unused_nodes fold_constants", inputs=["x"], outputs=["y"])
>>> pbslim.save(graph, "smaller.pb")
"""

from pbslim import lazy
from pbslim._version import __version__ as __version__

__getattr__, __dir__ = lazy.attach(__name__)
