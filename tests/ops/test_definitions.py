"""The op table: what it says, and that it says what TensorFlow's registry says."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pbslim import ops
from pbslim.dtypes import DTYPES, FLOAT, INT32, INT64, STRING, UINT8, DType, Shape

DEFAULTS_OF_1_15 = Path(__file__).parents[3] / "shared" / "spec" / "op_attr_defaults_tf1.15.5.json"
FLOAT_REF = DTYPES[FLOAT.number + 100]


def definition(op: str) -> ops.OpDef:
    found = ops.find(op)
    assert found is not None, op
    return found


def test_definition_of_an_op() -> None:
    conv = definition("Conv2D")
    assert [a.name for a in conv.inputs] == ["input", "filter"]
    assert conv.outputs == (ops.ArgDef("output", type_attr="T"),)
    assert conv.attrs["strides"] == ops.AttrDef("strides", "list(int)", ops.MISSING, "1.4")
    assert conv.attrs["dilations"] == ops.AttrDef("dilations", "list(int)", (1, 1, 1, 1), "1.8")
    assert conv.attrs["padding"].allowed == (b"SAME", b"VALID", b"EXPLICIT")
    assert conv.attrs["data_format"].default == b"NHWC"
    assert FLOAT in conv.attrs["T"].allowed
    assert (conv.is_stateful, conv.is_commutative, conv.since) == (False, False, "1.4")


def test_kinds_of_defaults() -> None:
    def default(op: str, attr: str) -> object:
        return definition(op).attrs[attr].default

    assert default("Shape", "out_type") is INT32
    assert default("Placeholder", "shape") == Shape(None)
    assert default("LeakyRelu", "alpha") == pytest.approx(np.float32(0.2))
    assert default("MatMul", "transpose_a") is False
    assert default("If", "output_shapes") == ()
    assert default("Squeeze", "squeeze_dims") == ()
    colour = default("ImageSummary", "bad_color")
    assert isinstance(colour, np.ndarray)
    assert colour.dtype == UINT8.numpy
    assert colour.tolist() == [255, 0, 0, 255]


def test_flags() -> None:
    assert definition("AddV2").is_commutative
    assert not definition("Sub").is_commutative
    assert definition("RandomUniform").is_stateful
    assert not definition("Identity").is_stateful


def test_releases() -> None:
    assert definition("Add").since == "1.4"
    assert definition("FusedBatchNormV3").since == "1.15"
    assert definition("BatchMatMulV3").since == "2.8"
    assert definition("FusedBatchNormV3").attrs["exponential_avg_factor"].since == "2.4"
    assert definition("AdjustHue").attrs["T"].since == "1.15"


def test_ops_of_every_kind_are_there() -> None:
    for op in ("_FusedConv2D", "_Retval", "AudioMicrofrontend", "StatelessWhile", "SlideDataset"):
        assert ops.find(op) is not None, op
    assert ops.find("NoSuchOp") is None
    assert ops.find("") is None


def test_definitions_cannot_be_changed() -> None:
    with pytest.raises(TypeError):
        definition("Conv2D").attrs["padding"] = definition("Conv2D").attrs["strides"]  # type: ignore[index]


@pytest.mark.parametrize(
    ("op", "attrs", "inputs", "outputs"),
    [
        ("Conv2D", {"T": FLOAT}, (FLOAT, FLOAT), (FLOAT,)),
        ("ConcatV2", {"T": FLOAT, "N": 3}, (FLOAT, FLOAT, FLOAT, INT32), (FLOAT,)),
        ("ConcatV2", {"T": FLOAT, "N": 1, "Tidx": INT64}, (FLOAT, INT64), (FLOAT,)),
        ("IdentityN", {"T": (FLOAT, STRING)}, (FLOAT, STRING), (FLOAT, STRING)),
        ("Split", {"T": FLOAT, "num_split": 2}, (INT32, FLOAT), (FLOAT, FLOAT)),
        ("Shape", {"T": STRING}, (STRING,), (INT32,)),
        ("Assign", {"T": FLOAT}, (FLOAT_REF, FLOAT), (FLOAT_REF,)),
        ("VariableV2", {"dtype": FLOAT}, (), (FLOAT_REF,)),
        ("NoOp", {}, (), ()),
        ("Conv2D", {}, None, None),
        ("Conv2D", {"T": 1}, None, None),
        ("ConcatV2", {"T": FLOAT}, None, (FLOAT,)),
        ("ConcatV2", {"T": FLOAT, "N": -1}, None, (FLOAT,)),
        ("ConcatV2", {"T": FLOAT, "N": True}, None, (FLOAT,)),
        ("ConcatV2", {"T": FLOAT, "N": 1 << 40}, None, (FLOAT,)),
        ("IdentityN", {"T": (1, 2)}, None, None),
        ("IdentityN", {"T": FLOAT}, None, None),
        ("NoSuchOp", {"T": FLOAT}, None, None),
    ],
)
def test_types_of_ports(
    op: str, attrs: dict[str, object], inputs: tuple[DType, ...] | None, outputs: tuple[DType, ...] | None
) -> None:
    assert ops.input_dtypes(op, attrs) == inputs
    assert ops.output_dtypes(op, attrs) == outputs


def test_ports_of_named_outputs() -> None:
    batch_norm = ops.output_ports("FusedBatchNorm", {"T": FLOAT})
    assert batch_norm is not None
    assert batch_norm["y"] == (0, 1)
    assert batch_norm["reserve_space_2"] == (4, 1)
    assert ops.output_ports("Split", {"T": FLOAT, "num_split": 3}) == {"output": (0, 3)}
    assert ops.output_ports("ParseExample", {}) is None
    assert ops.output_ports("NoSuchOp", {}) is None


def test_suggests_the_nearest_op() -> None:
    assert ops.suggest("conv2d") == "Conv2D"
    assert ops.suggest("Reshap") == "Reshape"
    assert ops.suggest("nothing of the kind") is None


def test_the_table_is_read_on_the_first_question_only() -> None:
    code = "from pbslim.ops import definitions as d; assert not d._table.cache_info().currsize"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_the_table_is_small() -> None:
    table = Path(ops.__file__).with_name("table.tsv.gz")
    assert table.stat().st_size <= 300_000


def release(text: str) -> tuple[int, ...]:
    return tuple(map(int, text.split(".")))


def listed_value(kind: str, value: Any) -> Any:
    """What a default is that is listed as ``{kind: value}``."""
    if kind == "list":
        return tuple(listed_value(k, item) for k, items in value.items() for item in items)
    if kind == "shape":
        return Shape(None if value.get("unknown_rank") else tuple(value["dim"]))
    read: dict[str, Callable[[Any], Any]] = {
        "s": str.encode,
        "i": int,
        "b": bool,
        "f": float,
        "type": lambda t: DType.parse(t[3:].lower()),
    }
    return read[kind](value)


@pytest.mark.skipif(not DEFAULTS_OF_1_15.exists(), reason="the list of defaults is not here")
def test_defaults_are_those_of_tensorflow_1_15() -> None:
    listed: dict[str, dict[str, Any]] = json.loads(DEFAULTS_OF_1_15.read_text())
    assert len(listed) == 1393
    for op, defaults in listed.items():
        attrs = definition(op).attrs.values()
        ours = {a.name: a for a in attrs if a.default is not ops.MISSING and release(a.since) <= (1, 15)}
        assert set(ours) == set(defaults), op
        for name, value in defaults.items():
            ((kind, listed_as),) = value.items()
            default = ours[name].default
            if "tensor" in ours[name].kind:
                assert kind in ("tensor_hex", "list"), (op, name)
            else:
                assert default == listed_value(kind, listed_as), (op, name)
                assert type(default) is type(listed_value(kind, listed_as)), (op, name)
