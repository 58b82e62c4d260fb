"""Put the values of variables into a graph: each becomes a constant that stays in its checkpoint until it is read."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from math import prod

from pbslim.dtypes import Shape
from pbslim.errors import DecodeError, UsageError
from pbslim.freezing.restoring import Stored, VariableName, restored, variable_name
from pbslim.ir import Graph, Node, Tensor
from pbslim.names import nearest, shortened
from pbslim.ops.families import VARIABLES, WITHOUT_VALUE
from pbslim.wire.checkpoints import Checkpoint
from pbslim.wire.meta_graphs import MetaGraph

_PART = "/part_"


class Sources:
    """What the variables and lookup tables of a graph are restored from, as far as the graph or its description says.

    Attributes:
        variables: the value of each variable.
        tables: keys and values of each lookup table that a checkpoint holds, by the name of its node.
    """

    def __init__(self, graph: Graph, meta: MetaGraph | None) -> None:
        self.variables: dict[VariableName, Stored] = {}
        self.tables: dict[str, tuple[Stored, Stored]] = {}
        for each in meta.variables() if meta else ():
            info = each.save_slice_info_def
            if info.full_name:
                name = VariableName(b"", each.variable_name.partition(":")[0].encode())
                extents = tuple(zip(info.var_offset, info.var_shape, strict=False))
                self.variables[name] = Stored(info.full_name, extents)
        for target, sources in reversed(restored(graph, meta.restore_op if meta else "")):
            if len(sources) == 1:
                self.variables[variable_name(target)] = sources[0]
            elif len(sources) == 2:
                self.tables[target.name] = sources[0], sources[1]


def variables_of(graph: Graph) -> list[Node]:
    """The nodes that are variables.

    Raises:
        UsageError: one of them is of a kind that has no value outside of a run.
    """
    found = [node for node in graph if node.op in VARIABLES]
    for node in found:
        if node.op in WITHOUT_VALUE:
            raise UsageError(f"'{node.name}' is a {node.op}, which cannot be frozen")
    return found


def insert_values(variables: Sequence[Node], sources: Sources, checkpoint: Checkpoint) -> None:
    """Make constants of `variables`.

    Raises:
        UsageError: the checkpoint does not have some of them.
        DecodeError: what it has does not fit.
    """
    finder = _Finder(sources, checkpoint)
    found = {node: finder.find(node) for node in variables}
    missing = [node for node, stored in found.items() if stored is None]
    if missing:
        close = nearest(missing[0].name, checkpoint.keys)
        hint = f"; the nearest key is '{close}'" if close else ""
        names = shortened([f"'{node.name}'" for node in missing])
        raise UsageError(f"the checkpoint '{checkpoint.path}' has no values for {names}{hint}")
    for node, stored in found.items():
        if stored is not None:
            _become_constant(node, stored, checkpoint)


def _become_constant(node: Node, stored: Stored, checkpoint: Checkpoint) -> None:
    tensor = checkpoint.tensor(stored.key, stored.extents)
    dtype, declared = node.dtype_attr("dtype"), node.shape_attr("shape")
    if dtype is not None and tensor.dtype is not dtype:
        raise DecodeError(
            f"'{stored.key}' in '{checkpoint.path}' is {tensor.dtype}, the variable '{node.name}' is {dtype}"
        )
    node.become("Const", attrs={"dtype": tensor.dtype, "value": _fitting(tensor, declared, node, stored)})


def _fitting(tensor: Tensor, declared: Shape, node: Node, stored: Stored) -> Tensor:
    """The tensor in the shape of its variable; one that is restored through a Reshape may have another one."""
    dims = declared.dims
    if dims is None or (not dims and node.op == "VariableV2"):  # an old graph does not say it otherwise
        return tensor
    if len(dims) == len(tensor.shape) and all(d in (-1, n) for d, n in zip(dims, tensor.shape, strict=True)):
        return tensor
    if declared.is_known and prod(dims) == tensor.size:
        return tensor.reshaped(dims)
    raise DecodeError(f"'{stored.key}' has the shape {list(tensor.shape)}, the variable '{node.name}' {declared}")


class _Finder:
    """Finds what belongs to a variable."""

    def __init__(self, sources: Sources, checkpoint: Checkpoint) -> None:
        self._sources, self._checkpoint = sources, checkpoint
        self._keys = frozenset(checkpoint.keys)

    def find(self, node: Node) -> Stored | None:
        """What `node` is restored from: what the graph says, else what has its name."""
        name = variable_name(node)
        stored = self._sources.variables.get(name)
        if stored is not None and stored.key in self._keys:
            return stored
        return next((each for each in self._by_name(name) if each.key in self._keys), None)

    def _by_name(self, name: VariableName) -> Iterator[Stored]:
        text = name.name.decode(errors="replace")
        yield Stored(text)
        whole, mark, number = text.rpartition(_PART)
        if mark and number.isdecimal() and whole in self._keys:
            slices = sorted(self._checkpoint.entry(whole).slices)
            if int(number) < len(slices):
                yield Stored(whole, slices[int(number)])
