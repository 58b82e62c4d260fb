"""Small random graphs of the ops that transforms look for; all of them run in TensorFlow."""

from __future__ import annotations

import random
from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from pbslim.dtypes import DTYPES, FLOAT, Shape
from pbslim.ir import ArrayTensor, AttrValue, Graph, Node, Value

INT32 = next(dtype for dtype in DTYPES.values() if dtype.name == "int32")
BOOL = next(dtype for dtype in DTYPES.values() if dtype.name == "bool")
_STRIDES: dict[str, AttrValue] = {"strides": (1, 1, 1, 1), "padding": b"SAME"}


class RandomGraph:
    """A graph that grows by random steps.

    Attributes:
        feeds: values for its placeholders.
    """

    def __init__(self, seed: int, steps: int = 14) -> None:
        self.random = random.Random(seed)  # noqa: S311 - nothing secret
        self.values = np.random.default_rng(seed)
        self.graph = Graph()
        self.count = 0
        batch = self.random.choice([1, 2])  # some fusions are right for one image only
        image, rows = (batch, 8, 8, 3), (batch, 4)
        self.frozen_reads = self.random.choice([0, 0.4])
        self.images = [self._placeholder("image", image)]
        self.rows = [self._placeholder("rows", rows)]
        self.feeds = {"image": self._floats(image), "rows": self._floats(rows)}
        for _ in range(steps):
            self.random.choice(self.STEPS)(self)
        self._decorate()
        self.graph.forget_changes()

    def outputs(self) -> list[str]:
        """The last value of each kind, and one from somewhere in the middle."""
        found = {value.name for value in (self.images[-1], self.rows[-1], self.random.choice(self.images))}
        return sorted(found - {"image", "rows"})

    # Material

    def _placeholder(self, name: str, shape: tuple[int, ...]) -> Value:
        return self.graph.add(name, "Placeholder", attrs={"dtype": FLOAT, "shape": Shape(shape)}).output()

    def _floats(self, shape: tuple[int, ...]) -> npt.NDArray[np.float32]:
        return self.values.uniform(-1, 1, shape).astype(np.float32)

    def _name(self, op: str) -> str:
        self.count += 1
        return f"{self.random.choice(['', 'block/', 'block/unit/'])}{op}_{self.count}"

    def _const(self, array: npt.ArrayLike, dtype: str = "float32") -> Value:
        tensor = ArrayTensor(np.array(array, dtype), {"float32": FLOAT, "int32": INT32, "bool": BOOL}[dtype])
        value = self.graph.add(self._name("Const"), "Const", attrs={"dtype": tensor.dtype, "value": tensor}).output()
        if dtype == "float32" and self.random.random() < self.frozen_reads:  # as a frozen variable is read
            return self._add("Identity", value).output()
        return value

    def _add(self, op: str, *inputs: Value, **attrs: AttrValue) -> Node:
        kind: dict[str, AttrValue] = {} if op == "GatherV2" else {"T": FLOAT}
        return self.graph.add(self._name(op), op, inputs, kind | attrs)

    def _either_side(self, op: str, value: Value, constant: Value) -> Value:
        pair = [value, constant]
        self.random.shuffle(pair)
        return self._add(op, *pair).output()

    # Steps on images [batch, 8, 8, 3]

    def _convolution(self) -> None:
        op = self.random.choice(["Conv2D", "DepthwiseConv2dNative"])
        shape = (3, 3, 3, 3) if op == "Conv2D" else (3, 3, 3, 1)
        self.images.append(self._add(op, self._image(), self._const(self._floats(shape)), **_STRIDES).output())

    def _padded_convolution(self) -> None:
        paddings = self._const([[0, 0], [1, 1], [1, 1], [0, 0]], "int32")
        op = self.random.choice(["Pad", "MirrorPad"])
        extra: dict[str, AttrValue] = {"mode": b"REFLECT"} if op == "MirrorPad" else {}
        padded = self._add(op, self._image(), paddings, Tpaddings=INT32, **extra).output()
        weights = self._const(self._floats((3, 3, 3, 3)))
        self.images.append(self._add("Conv2D", padded, weights, strides=(1, 1, 1, 1), padding=b"VALID").output())

    def _resized_convolution(self) -> None:
        resized = self._add("ResizeBilinear", self._image(), self._const([8, 8], "int32")).output()
        weights = self._const(self._floats((1, 1, 3, 3)))
        self.images.append(self._add("Conv2D", resized, weights, **_STRIDES).output())

    def _atrous_convolution(self) -> None:
        block = self._const([2, 2], "int32")
        types: dict[str, AttrValue] = {"Tblock_shape": INT32}
        pads = self._const([[2, 2], [2, 2]], "int32")
        spread = self._add("SpaceToBatchND", self._image(), block, pads, Tpaddings=INT32, **types).output()
        weights = self._const(self._floats((3, 3, 3, 3)))
        conv = self._add("Conv2D", spread, weights, strides=(1, 1, 1, 1), padding=b"VALID").output()
        crops = self._const([[0, 0], [0, 0]], "int32")
        self.images.append(self._add("BatchToSpaceND", conv, block, crops, Tcrops=INT32, **types).output())

    def _scale(self) -> None:
        factor = self._const(self._floats((3,)))
        self.images.append(self._either_side(self.random.choice(["Mul", "Add", "AddV2"]), self._image(), factor))

    def _bias(self) -> None:
        self.images.append(self._add("BiasAdd", self._image(), self._const(self._floats((3,)))).output())

    def _unfused_batch_norm(self) -> None:
        mean, variance, beta = (self._const(self._floats((3,)) + (i == 1) * 2) for i in range(3))
        factor = self._add("Rsqrt", self._add("Add", variance, self._const(0.001)).output()).output()
        if self.random.random() < 0.5:
            factor = self._either_side("Mul", factor, self._const(self._floats((3,))))
        scaled = self._either_side("Mul", self._image(), factor)
        shift = self._add("Sub", beta, self._either_side("Mul", mean, factor)).output()
        self.images.append(self._either_side("Add", scaled, shift))

    def _fused_batch_norm(self) -> None:
        version = self.random.choice(["", "V2", "V3"])
        parts = [self._const(self._floats((3,)) + (i == 3) * 2) for i in range(4)]
        attrs: dict[str, AttrValue] = {"is_training": False, "epsilon": 0.001} | ({"U": FLOAT} if version else {})
        self.images.append(self._add(f"FusedBatchNorm{version}", self._image(), *parts, **attrs).output())

    def _image_function(self) -> None:
        op = self.random.choice(["Relu", "Relu6", "Tanh", "Identity", "CheckNumerics", "Abs"])
        extra: dict[str, AttrValue] = {"message": b"odd"} if op == "CheckNumerics" else {}
        self.images.append(self._add(op, self._image(), **extra).output())

    def _pool(self) -> None:
        op = self.random.choice(["MaxPool", "AvgPool"])
        self.images.append(self._add(op, self._image(), ksize=(1, 2, 2, 1), **_STRIDES).output())

    def _joined(self) -> None:
        axis = self._const(3, "int32")
        joined = self._add("ConcatV2", self._image(), self._image(), axis, N=2, Tidx=INT32).output()
        weights = self._const(self._floats((1, 1, 6, 3)))
        self.images.append(self._add("Conv2D", joined, weights, **_STRIDES).output())

    # Steps on rows [batch, 4]

    def _product(self) -> None:
        self.rows.append(self._add("MatMul", self._row(), self._const(self._floats((4, 4)))).output())

    def _arithmetic(self) -> None:
        op = self.random.choice(["Add", "Sub", "Mul", "Maximum", "Minimum"])
        self.rows.append(self._add(op, self._row(), self._row()).output())

    def _constants_alone(self) -> None:
        total = self._add("Mul", self._const(self._floats((4,))), self._const(self._floats((4,)))).output()
        self.rows.append(self._either_side("Add", self._row(), self._add("Exp", total).output()))

    def _reshaped(self) -> None:
        shape = self._add("Shape", self._row(), out_type=INT32).output()
        self.rows.append(self._add("Reshape", self._row(), shape, Tshape=INT32).output())

    def _looked_up(self) -> None:
        axis = self._const(1, "int32")
        best = self._add("ArgMax", self._row(), axis, Tidx=INT32, output_type=INT32).output()
        table = self._const(self._floats((4, 4)))
        self.rows.append(self._add("GatherV2", table, best, self._const(0, "int32"), **_GATHER).output())

    def _branches(self) -> None:
        switch = self._add("Switch", self._row(), self._const(self.random.random() < 0.5, "bool"))
        ways = self._add("Neg", switch.output(0)).output(), self._add("Tanh", switch.output(1)).output()
        self.rows.append(self._add("Merge", *ways, N=2).output())

    def _again(self) -> None:
        """The same node twice."""
        node = self.random.choice(self.rows).node
        if node.op not in ("Placeholder", "Switch", "Merge"):
            copy = self.graph.add(self._name(node.op), node.op, node.inputs, node.attrs)
            self.rows.append(self._add("Add", node.output(), copy.output()).output())

    def _row_from_image(self) -> None:
        mean = self._add("Mean", self._image(), self._const([1, 2], "int32"), Tidx=INT32).output()
        self.rows.append(self._add("MatMul", mean, self._const(self._floats((3, 4)))).output())

    STEPS: tuple[Callable[[RandomGraph], None], ...] = (
        _convolution,
        _convolution,
        _padded_convolution,
        _resized_convolution,
        _atrous_convolution,
        _scale,
        _bias,
        _unfused_batch_norm,
        _fused_batch_norm,
        _image_function,
        _pool,
        _joined,
        _product,
        _arithmetic,
        _constants_alone,
        _reshaped,
        _looked_up,
        _branches,
        _again,
        _row_from_image,
    )

    def _image(self) -> Value:
        return self.random.choice(self.images[-3:])

    def _row(self) -> Value:
        return self.random.choice(self.rows[-3:])

    def _decorate(self) -> None:
        """Devices and control edges, here and there; none into a branch, where it would not always be alive."""
        nodes = list(self.graph)
        for at, node in enumerate(nodes):
            if self.random.random() < 0.1:
                node.set_device("/cpu:0")
            others = [n for n in nodes[:at] if n.op not in ("Switch", "Neg", "Tanh", "Merge")]
            if node.op in ("Relu", "Mul", "MatMul", "Identity") and others and self.random.random() < 0.15:
                node.set_controls([self.random.choice(others)])


_GATHER: dict[str, AttrValue] = {"Tparams": FLOAT, "Tindices": INT32, "Taxis": INT32}
