from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pbslim.dtypes import FLOAT, QUINT8, DType
from pbslim.errors import TransformSyntaxError
from pbslim.names import nearest
from pbslim.passes.language import parse
from pbslim.passes.parameters import bind, ignores_errors, parameters_of


def example(
    graph: object,
    *,
    steps: int = 256,
    ratio: float = 0.5,
    strict: bool = False,
    device: str = "",
    type: DType = FLOAT,  # noqa: A002
    low: float | None = None,
    op: tuple[str, ...] = (),
) -> None:
    """A transform with a parameter of each kind."""


def required(graph: object, *, op: tuple[str, ...], name: str) -> None:
    """A transform that needs its parameters."""


PARAMETERS = parameters_of(example)


def bound(arguments: str) -> tuple[dict[str, object], list[str]]:
    text = f"example({arguments})"
    return bind(parse(text)[0][0], PARAMETERS, text)


def refusal(arguments: str) -> TransformSyntaxError:
    with pytest.raises(TransformSyntaxError) as caught:
        bound(arguments)
    return caught.value


def test_the_signature_is_the_interface() -> None:
    assert [(p.name, p.kind, p.repeated, p.required, p.default) for p in PARAMETERS.values()] == [
        ("steps", int, False, False, 256),
        ("ratio", float, False, False, 0.5),
        ("strict", bool, False, False, False),
        ("device", str, False, False, ""),
        ("type", DType, False, False, FLOAT),
        ("low", float, False, False, None),
        ("op", str, True, False, ()),
    ]
    assert [(p.name, p.repeated, p.required) for p in parameters_of(required).values()] == [
        ("op", True, True),
        ("name", False, True),
    ]


def test_describes_itself() -> None:
    described = {name: parameter.describe() for name, parameter in PARAMETERS.items()}
    assert described["steps"] == "steps: int = 256"
    assert described["strict"] == "strict: bool = false"
    assert described["type"] == "type: DType = float"
    assert described["low"] == "low: float"
    assert described["op"] == "op: str ..."


@pytest.mark.parametrize(
    ("arguments", "value"),
    [
        ("steps=64", 64),
        ("steps=-64", -64),
        ("steps=007", 7),
        ('steps=" \t\n\v\f\r5 "', 5),
        ("steps=" + "0" * 5000 + "5", 5),
        ("steps=-9223372036854775808", -(2**63)),
        ("ratio=1", 1.0),
        ("ratio=.5", 0.5),
        ("ratio=1.", 1.0),
        ('ratio="+1E+5"', 1e5),
        ("ratio=0x10", 16.0),
        ("ratio=-0X1f", -31.0),
        ('ratio=" -INF "', -math.inf),
        ("ratio=1e400", math.inf),
        ("low=2", 2.0),
        ("strict=true", True),
        ("strict=1", True),
        ("strict=false", False),
        ("strict=0", False),
        ('device=" a b "', " a b "),
        ('device=""', ""),
        ("type=quint8", QUINT8),
        ("type=float32", FLOAT),
        ("op=A", ("A",)),
        ('op=B, op=A, op="B"', ("B", "A", "B")),
    ],
)
def test_reads_values(arguments: str, value: object) -> None:
    values, notes = bound(arguments)
    assert values == {arguments.partition("=")[0]: value}
    assert type(next(iter(values.values()))) is type(value)
    assert notes == []


def test_reads_nan() -> None:
    value = bound("ratio=NaN")[0]["ratio"]
    assert isinstance(value, float)
    assert math.isnan(value)


@pytest.mark.parametrize(
    ("name", "values", "what"),
    [
        ("steps", ["+5", "0x10", "2.5", "1e3", "", "- 5", "--5", "-", "1_0", "5x", "\u00a05", "٣"], "a whole number"),
        ("steps", ["9223372036854775808", "-9223372036854775809", "9" * 5000], "a whole number"),
        ("ratio", ["", "1e", "1f", "0x", "-", "1_0", "infinity", "nan(1)", "1 2", "٣", "\u00a01"], "a number"),
        ("strict", ["True", "TRUE", "yes", " true", "", "2"], "true, false, 1 or 0"),
    ],
)
def test_refuses_what_is_no_value(name: str, values: list[str], what: str) -> None:
    for value in values:
        error = refusal(f'{name}="{value}"')
        assert error.message == f"'{name}' must be {what}, not {value!r}"
        assert error.position == len(f"example({name}=")


def test_refuses_an_unknown_type() -> None:
    error = refusal("type=floaty")
    assert error.message.startswith("'type': unknown data type 'floaty' (known: float, double, ")
    assert error.position == len("example(type=")


def test_only_repeatable_ones_may_be_repeated() -> None:
    error = refusal("steps=2, op=A, steps=2")
    assert (error.message, error.position) == ("'steps' may be given only once", len("example(steps=2, op=A, "))


def test_points_where_a_required_one_is_missing() -> None:
    text = "x required(op=A)"
    with pytest.raises(TransformSyntaxError) as caught:
        bind(parse(text)[0][1], parameters_of(required), text)
    assert str(caught.value).splitlines() == ["required needs 'name'", "    x required(op=A)", "      ^"]


def test_an_unknown_one_is_ignored_with_a_note() -> None:
    assert bound("step=2, color=blue, ignore_errors=true") == (
        {},
        [
            "example has no parameter 'step', it is ignored, did you mean 'steps'?",
            "example has no parameter 'color', it is ignored",
        ],
    )


@pytest.mark.parametrize(
    ("text", "ignores"),
    [
        ("t", False),
        ("t(a=1)", False),
        ("t(ignore_errors=true)", True),
        ("t(a=1, ignore_errors=TRUE)", True),
        ("t(ignore_errors=False, ignore_errors=perhaps)", False),
    ],
)
def test_ignores_errors(text: str, *, ignores: bool) -> None:
    assert ignores_errors(parse(text)[0][0], text) is ignores


@pytest.mark.parametrize("value", ["perhaps", "1", "yes", '" true"'])
def test_ignore_errors_is_true_or_false(value: str) -> None:
    text = f"t(ignore_errors={value}, ignore_errors=true)"
    with pytest.raises(TransformSyntaxError) as caught:
        ignores_errors(parse(text)[0][0], text)
    assert (caught.value.message, caught.value.position) == ("ignore_errors must be true or false", 16)


def test_suggests_the_nearest_name() -> None:
    known = ["fold_constants", "obfuscate_names", "round_weights"]
    assert nearest("obsfucate_names", known) == "obfuscate_names"
    assert nearest("fold_constant", known) == "fold_constants"
    assert nearest("color", known) is None
    assert nearest("x", []) is None


@given(st.sampled_from(sorted(PARAMETERS)), st.text(st.characters(exclude_characters='"\\'), max_size=12))
def test_any_value_is_read_or_refused(name: str, value: str) -> None:
    try:
        values, _ = bound(f'{name}="{value}"')
    except TransformSyntaxError as refused:
        found = refused.position
    else:
        assert set(values) == {name}
        return
    assert found == len(f"example({name}=")


@given(st.integers(-(2**63), 2**63 - 1), st.floats(allow_nan=False))
def test_numbers_survive(whole: int, real: float) -> None:
    assert bound(f'steps={whole}, ratio="{real!r}"')[0] == {"steps": whole, "ratio": real}


def test_a_transform_can_take_any_parameter() -> None:
    def takes_all(graph: object, **parameters: str) -> None:
        """A transform that is not supported."""

    text = "takes_all(a0=float, a1=2)"
    assert bind(parse(text)[0][0], parameters_of(takes_all), text) == ({"a0": "float", "a1": "2"}, [])
