"""The text form, against the protobuf library's reader and by its rules."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from google.protobuf import text_format
from hypothesis import given, settings
from hypothesis import strategies as st

import pbslim
from pbslim.errors import DecodeError
from pbslim.wire import schema
from pbslim.wire.text import message_bytes
from tests.shared import SHARED, needs_shared

schema.new("GraphDef")  # loads the library, which takes longer than an example may


def read(text: str | bytes, name: str = "GraphDef") -> Any:
    message = schema.new(name)
    message.ParseFromString(message_bytes(text.encode() if isinstance(text, str) else text, name))
    return message


def expected(text: str, name: str = "GraphDef") -> Any:
    return text_format.Parse(text, schema.new(name))


SPELLINGS = {
    "nothing": "",
    "blank": " \n\t# a remark {\n  # another\n",
    "remarks between": "node # here\n{ name # and here\n: # there\n 'a' # and\n 'b'\n}",
    "pointed brackets": "node < name: 'x' op: 'y' >",
    "a colon before a message": "node: { name: 'x' } library: <>",
    "separators": "node { name: 'x'; op: 'y', input: 'a'; input: 'b' }; versions { producer: 1, }",
    "no blanks": "node{name:'x'op:'y'}versions{producer:1 bad_consumers:2}",
    "lists": "node [{ name: 'x' input: ['a', \"b\" 'c'] }, < name: 'y' >] versions: { bad_consumers: [1, 2,3] }",
    "empty lists": "node: [] versions { bad_consumers: [ ] }",
    "strings in a row": "node { name: 'a' \"b\"\n'c' }",
    "escapes": r"""node { attr { value { s: "\a\b\f\n\r\t\v\\\'\"'\0\101\377\x1\xfF" } } }""",
    "escapes of characters": r"""node { attr { value { s: '\u00e9\U0001f600"' } } }""",
    "numbers": "versions { producer: 0x1F min_consumer: 017 bad_consumers: -0 bad_consumers: -0xa }",
    "floats": "node { attr { key: 'f' value { list { f: [1, -1.5, .5, 1., 1e3, 1E-3, 2f, inf, -inf, nan, 1e99] } } } }",
    "bools": "node { attr { key: 'b' value { list { b: true b: t b: True b: 1 b: false b: f b: False b: 0 } } } }",
    "enums": "node { attr { key: 't' value { list { type: [DT_FLOAT, DT_STRING_REF, 3, 9999] } } } }",
    "full types": "node { experimental_type { type_id: TFT_PRODUCT args { type_id: TFT_INT32 s: 'x' } } }",
    "a map without order": "node { attr { value { i: 0 } key: 'b' } attr { key: 'a' value { b: false } } }",
    "half an entry": "node { attr { key: 'a' } attr { } }",
    "the last of two keys": "node { attr { key: 'a' value { i: 1 } } attr { key: 'a' value { i: 2 } } }",
    "whole numbers as keys": "library { function { resource_arg_unique_id { key: 1 value: 2 } arg_attr { key: 0 } } }",
    "debug info": "debug_info { traces_by_id { key: 7 value { file_line_cols { line: 3 } frame_id: 9 } } }",
    "defaults": "node { name: '' device: '' attr { key: '' value { shape { dim { size: 0 } dim { } } } } } version: 0",
    "zero is minus": "node { attr { value { list { f: -0.0 } } } attr { key: 'g' value { f: -0.0 } } }",
}


@pytest.mark.parametrize("text", SPELLINGS.values(), ids=SPELLINGS)
def test_as_the_library_reads_it(text: str) -> None:
    found, wanted = read(text), expected(text)
    assert found == wanted or found.SerializeToString() == wanted.SerializeToString()  # NaN is not equal to itself
    assert read(text_format.MessageToString(found)).SerializeToString() == found.SerializeToString()


WRONG = {
    "a name": ("node { name: 'x' }\nnode { nam: 'y' }", "line 2, column 8: there is no field 'nam' here"),
    "no value": ("node { name: }", "line 1, column 14: expected a string in quotes"),
    "no colon": ("node { name 'x' }", "line 1, column 13: expected ':'"),
    "no brace": ("node 'x'", "line 1, column 6: expected '{'"),
    "an open brace": ("node { name: 'x'", "expected the name of a field or '}'"),
    "the other brace": ("node { name: 'x' >", "expected the name of a field or '}'"),
    "a brace too many": ("node { } }", "line 1, column 10: expected the name of a field"),
    "a bracket": ("node { input: ['a' 'b'", "expected ']'"),
    "an open string": ("node { name: 'x\n' }", "line 1, column 14: a string has no end in its line"),
    "a string that ends nowhere": ("node { name: '" + "\\'" * 40, "a string has no end in its line"),
    "an escape": (r"node { name: '\q' }", "a backslash in a string escapes nothing that is known"),
    "a large escape": (r"node { name: '\777' }", "an escape in a string is larger than a byte"),
    "half a pair": (r"node { name: '\ud800' }", "an escape in a string is not a character"),
    "no UTF-8": (r"node { name: '\xff' }", "line 1, column 14: a string is not UTF-8 text"),
    "a list of one": ("node { name: ['a', 'b'] }", "'name' is not a list"),
    "twice": ("node { name: 'a' name: 'b' }", "line 1, column 18: there may be one 'name' only"),
    "two of a kind": ("node { attr { value { i: 1 b: true } } }", "there may be one 'value' only"),
    "an enum": ("node { attr { value { type: DT_FLOT } } }", "'DT_FLOT' is not a value of DataType"),
    "a huge enum": (
        "node { attr { value { type: 999999999999999999999 } } }",
        "expected a whole number from -2147483648",
    ),
    "a number": ("versions { producer: 1.5 }", "expected a whole number from -2147483648 to 2147483647"),
    "a huge number": ("versions { producer: 2147483648 }", "expected a whole number from -2147483648 to 2147483647"),
    "digits without end": ("versions { producer: " + "1" * 10_000 + " }", "expected a whole number"),
    "an octal": ("versions { producer: 08 }", "expected a whole number"),
    "a bool": ("node { attr { value { b: yes } } }", "expected true or false"),
    "a float": ("node { attr { value { f: 0x10 } } }", "expected a number"),
    "a key": ("versions { producer: 2147483647 [x] { } }", "expected the name of a field or '}'"),
    "many, one too large": ("versions {" + "\nbad_consumers: 7" * 40 + "\nbad_consumers: 9999999999}", "line 42"),
    "too deep": ("node { experimental_type {" + "args {" * 200, "messages are nested more than 100 deep"),
}


@pytest.mark.parametrize(("text", "says"), WRONG.values(), ids=WRONG)
def test_what_is_wrong_is_told_with_its_place(text: str, says: str) -> None:
    with pytest.raises(DecodeError) as error:
        read(text)
    assert says in str(error.value)


def test_a_minus_may_stand_apart() -> None:
    assert read("versions { bad_consumers: - 12 }").versions.bad_consumers == [-12]  # as protobuf's C++ has it


@needs_shared
@pytest.mark.parametrize("folder", ["golden/memmapped/encodings", "golden/memmapped/dtypes_pod", "models/odd_graph"])
def test_graphs_of_all_encodings(folder: str) -> None:
    path = next(p for p in (SHARED / folder / "in.pb", SHARED / folder / "model.pb") if p.exists())
    message = schema.new("GraphDef")
    message.ParseFromString(path.read_bytes())
    message.DiscardUnknownFields()
    for options in ((False, False, False), (True, True, False), (True, False, True)):
        one_line, short, pointed = options
        text = text_format.MessageToString(
            message, as_one_line=one_line, use_short_repeated_primitives=short, pointy_brackets=pointed
        )
        assert read(text) == message


NUMBERS = {
    "float_val": st.floats(width=32),
    "double_val": st.floats(),
    "int_val": st.integers(-(1 << 31), (1 << 31) - 1),
}
NUMBERS |= {"int64_val": st.integers(-(1 << 63), (1 << 63) - 1), "uint64_val": st.integers(0, (1 << 64) - 1)}


@settings(max_examples=40)
@given(st.data(), st.sampled_from(sorted(NUMBERS)), st.booleans())
def test_many_numbers(data: st.DataObject, name: str, short: bool) -> None:
    message = schema.new("TensorProto")
    getattr(message, name).extend(data.draw(st.lists(NUMBERS[name], max_size=60)))
    text = text_format.MessageToString(message, use_short_repeated_primitives=short)
    assert read(text, "TensorProto").SerializeToString() == expected(text, "TensorProto").SerializeToString()


@given(st.binary(max_size=60))
def test_strings_of_any_bytes(content: bytes) -> None:
    message = schema.new("TensorProto")
    message.tensor_content = content
    assert read(text_format.MessageToString(message), "TensorProto") == message


@settings(max_examples=300)
@given(st.text(alphabet="node{}<>[]:;,'\"\\ \n#ab12.-_\x00é", max_size=40))
def test_any_text_is_read_or_refused(text: str) -> None:
    try:
        found = read(text)
    except DecodeError:
        return
    assert found == expected(text)


def test_a_byte_order_mark(tmp_path: Path) -> None:
    (tmp_path / "g.pbtxt").write_bytes(b"\xef\xbb\xbfnode { name: 'x' op: 'Placeholder' }")
    assert [node.name for node in pbslim.load(tmp_path / "g.pbtxt")] == ["x"]


def test_time_is_linear() -> None:
    """Twenty times the text takes forty times the time at most; a quadratic reader takes four hundred."""
    values = "\n".join(f"float_val: {x:.9g}" for x in np.random.default_rng(1).normal(size=2000))
    for one in (r"\\" * 2000, r"\'" * 2000, r"\000" * 1000, "x\\"):
        text = f"string_val: '{one}'\n" if one[-1] != "\\" or len(one) > 2 else "string_val: 'x'\n"
        assert took(text * 400) < 40 * took(text * 20) + 0.5
    assert took(values) < 1
    with pytest.raises(DecodeError, match="no end in its line"):
        read("string_val: '" + "\\" * 2_000_001, "TensorProto")


def took(text: str) -> float:
    start = time.process_time()
    read(text, "TensorProto")
    return time.process_time() - start
