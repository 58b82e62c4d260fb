from __future__ import annotations

import zipfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import pbslim
from pbslim.errors import DecodeError
from pbslim.wire.sniff import sniff
from pbslim.wire.varint import length_delimited, tag, varint
from tests.shared import SHARED, needs_shared

HEAD, TAIL = 1 << 16, 8


def kind(content: bytes, name: str = "model.pb") -> str:
    return sniff(content[:HEAD], Path(name), content[-TAIL:]).name


def field(number: int, value: int | bytes) -> bytes:
    return length_delimited(number, value) if isinstance(value, bytes) else tag(number, 0) + varint(value)


NODE = field(1, b"x") + field(2, b"Placeholder") + field(5, field(1, b"dtype") + field(2, field(6, 1)))
CONST = field(1, field(1, b"w") + field(2, b"Const") + field(5, bytes(200_000)))
GRAPH = field(1, NODE) + field(4, field(1, 1882))
META_INFO = field(2, field(1, field(1, b"Add") + field(2, field(1, b"x")))) + field(4, b"serve") + field(5, b"1.15.5")
META_GRAPH = field(1, META_INFO) + field(2, GRAPH)

HDF5 = b"\x89HDF\r\n\x1a\n" + bytes(99)
KINDS = {
    "GraphDef": (GRAPH, "a GraphDef"),
    "GraphDef, large node first": (CONST + GRAPH, "a GraphDef"),
    "GraphDef without nodes": (field(4, field(1, 27) + field(2, 12)), "a GraphDef"),
    "GraphDef, cut": (GRAPH[:-1], "a GraphDef"),
    "GraphDef text": (b"# made by hand\n\nnode {\n  name: 'x'\n}", "a GraphDef in text form"),
    "GraphDef text, versions": (b"versions { producer: 27 }", "a GraphDef in text form"),
    "SavedModel": (field(1, 1) + field(2, META_GRAPH), "a SavedModel"),
    "SavedModel text": (b"saved_model_schema_version: 1\n", "a SavedModel"),
    "MetaGraphDef": (META_GRAPH, "a MetaGraphDef (.meta)"),
    "MetaGraphDef, tags only": (field(1, field(4, b"serve")) + field(2, GRAPH), "a MetaGraphDef (.meta)"),
    "MetaGraphDef, no info": (field(2, GRAPH), "a MetaGraphDef (.meta)"),
    "checkpoint table": (bytes(100) + bytes.fromhex("57fb808b247547db"), "part of a checkpoint"),
    "checkpoint state": (b'model_checkpoint_path: "m"', "part of a checkpoint"),
    "TFLite": (b"\x1c\0\0\0TFL3" + bytes(100), "a TensorFlow Lite model"),
    "ONNX": (field(1, 7) + field(2, b"pytorch") + field(3, b"1.9") + field(7, field(1, NODE)), "an ONNX model"),
    "ONNX, no producer": (field(1, 3) + field(7, field(1, NODE)) + field(8, field(2, 9)), "an ONNX model"),
    "ONNX, version 1": (field(1, 1) + field(2, b"CNTK") + field(7, NODE), "an ONNX model"),
    "Core ML": (field(1, 4) + field(2, field(1, field(1, b"image"))) + field(500, NODE), "a Core ML model"),
    "Keras model in HDF5": (HDF5 + b"keras_version\0model_config" + bytes(99), "a Keras model in HDF5"),
    "Keras weights": (HDF5 + b"vars\0\0layers" + bytes(99), "the weights of a Keras model"),
    "Keras weights of old": (HDF5 + b"layer_names\0keras_version" + bytes(99), "the weights of a Keras model"),
    "HDF5": (HDF5, "an HDF5 file, but not one of Keras"),
    "gzip": (b"\x1f\x8b\x08" + bytes(20), "a compressed archive"),
    "tar": (b"saved_model/" + bytes(245) + b"ustar", "a compressed archive"),
    "TensorFlow.js": (b'{"format": "graph-model", "modelTopology": {}}', "a TensorFlow.js model"),
    "JSON": (b'\n{"a": 1}', "a JSON file"),
    "OpenVINO": (b'<?xml version="1.0"?>\n<net name="m" version="11">', "an OpenVINO model"),
    "XML": (b'<?xml version="1.0"?><a/>', "an XML file"),
    "web page": (b"\n<!DOCTYPE html><html>", "a web page"),
    "Git LFS": (b"version https://git-lfs.github.com/spec/v1\n", "a Git LFS pointer"),
    "pickle": (b"\x80\x04\x95\x05\0\0\0\0\0\0\0}\x94.", "a Python pickle"),
    "old PyTorch": (bytes.fromhex("80028a0a6cfc9c46f9206aa85019") + b".", "a PyTorch model"),
    "PNG": (b"\x89PNG\r\n\x1a\n" + bytes(20), "a picture"),
    "JPEG": (b"\xff\xd8\xff\xe0" + bytes(20), "a picture"),
    "text": ("Grüße\n".encode(), "a text file"),
    "UTF-16": ("node {}".encode("utf-16"), "text in UTF-16"),
    "other protobuf": (field(1, b"\xff" * 9) + field(3, 1) + field(5, b"abc"), "a protocol buffer, but not a GraphDef"),
    "zeros": (bytes(100_000), "no kind of file that is known here"),
    "any bytes": (bytes(range(256)) * 20, "no kind of file that is known here"),
}


@pytest.mark.parametrize(("content", "name"), KINDS.values(), ids=KINDS)
def test_tells_kinds_apart(content: bytes, name: str) -> None:
    assert kind(content) == name


@pytest.mark.parametrize("name", ["m.index", "m.data-00000-of-00001", "old.ckpt"])
def test_names_tell_parts_of_a_checkpoint(name: str) -> None:
    assert kind(b"\x00\x01\xff\xfe" * 20, name) == "part of a checkpoint"


@pytest.mark.parametrize(
    ("member", "name", "found"),
    [
        ("config.json", "m.keras", "a Keras model"),
        ("model.weights.h5", "m.zip", "a Keras model"),
        ("keras_version", "m.zip", "a Keras model"),
        ("archive/data.pkl", "m.pt", "a PyTorch model"),
        ("m/saved_model.pb", "m.zip", "a zipped SavedModel"),
        ("other", "m.zip", "a zip archive"),
    ],
)
def test_looks_into_a_zip(tmp_path: Path, member: str, name: str, found: str) -> None:
    path = tmp_path / name
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(member, b"x")
    assert kind(path.read_bytes(), name) == found


def test_nothing_to_read(tmp_path: Path) -> None:
    assert sniff(b"", tmp_path).name == "a directory"
    assert sniff(b"", tmp_path / "no.pb").name == "an empty file"
    assert sniff(b"", Path("nul\0")).name == "an empty file"
    (tmp_path / "saved_model.pb").touch()
    assert sniff(b"", tmp_path).name == "a SavedModel"


def test_the_advice_names_the_file() -> None:
    for content, line in (
        (HDF5 + b"model_config", "keras.models.load_model('my.h5').export('exported'), then give 'exported'"),
        (HDF5 + b"vars", "model.load_weights('my.h5'), model.export('exported')"),
        (KINDS["checkpoint table"][0], "pbslim freeze GRAPH --checkpoint my.h5"),
    ):
        assert line in sniff(content, Path("my.h5"), content[-TAIL:]).advice


def test_the_advice_is_one_line() -> None:
    for content, _ in KINDS.values():
        found = sniff(content[:HEAD], Path("x"), content[-TAIL:])
        assert found.advice
        assert "\n" not in found.name + found.advice


PIECES = [
    field(1, NODE),
    META_GRAPH,
    b"\x08\x01",
    b"\x12",
    b"\x0a",
    b"\xff" * 11,
    b"\x80\x80",
    b"{",
    b"PK\x03\x04",
]


@given(
    st.one_of(st.binary(max_size=200), st.lists(st.sampled_from(PIECES), max_size=6).map(b"".join)),
    st.sampled_from(["x.pb", "x.ckpt", "", "x.data-", "nul\0"]),
    st.binary(max_size=60),
)
def test_any_bytes_have_a_kind(head: bytes, name: str, tail: bytes) -> None:
    found = sniff(head, Path(name), tail)
    assert found.name
    assert found.advice


@needs_shared
def test_real_files() -> None:
    def kinds(pattern: str) -> set[str]:
        paths = list(SHARED.glob(pattern))
        assert paths, pattern
        return {kind(path.read_bytes(), path.name) for path in paths}

    assert kinds("models/*/model.pb") == {"a GraphDef"}
    assert kinds("golden_saved_model/*/saved_model/saved_model.pb") == {"a SavedModel"}
    assert kinds("golden_saved_model/*/*.meta") == {"a MetaGraphDef (.meta)"}
    assert kinds("golden_saved_model/**/*.index") == {"part of a checkpoint"}
    assert kinds("golden_saved_model/**/*.data-*") == {"part of a checkpoint"}
    assert kinds("golden_saved_model/**/*.ckpt") == {"part of a checkpoint"}
    assert kinds("golden_saved_model/**/checkpoint") == {"part of a checkpoint"}


POINTER = b"version https://git-lfs.github.com/spec/v1\noid sha256:" + b"4d" * 32 + b"\nsize 12345\n"


@pytest.mark.parametrize("content", [POINTER, POINTER.replace(b"\n", b"\r\n")])
def test_a_git_lfs_pointer_is_named(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "model.pb").write_bytes(content)
    with pytest.raises(DecodeError, match=r"looks like a Git LFS pointer: fetch the file .* 'git lfs pull'"):
        pbslim.load(tmp_path / "model.pb")
