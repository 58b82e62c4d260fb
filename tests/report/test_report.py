"""Reports: their facts, and what is made of them."""

from __future__ import annotations

import copy
import hashlib
import json
import re
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import pbslim
from pbslim.analysis.endpoints import find_names
from pbslim.report import documents
from pbslim.report.facts import VERSION
from pbslim.report.weights import biggest, spreads
from tests import commands
from tests.cli.test_commands import DIGITS
from tests.graphs import parse

SCHEMA = json.loads(Path(documents.__file__).with_name("report.schema.json").read_text())


@pytest.fixture(scope="session")
def facts(reports: Path) -> dict[str, Any]:
    return documents.read(reports / "report.json")


def check(facts: object) -> None:
    jsonschema = pytest.importorskip("jsonschema")
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    jsonschema.Draft202012Validator(SCHEMA).validate(facts)


def everything_is_described(facts: Any, schema: Any) -> None:
    """No property is missing in the schema."""
    schema = SCHEMA["$defs"][schema["$ref"].rpartition("/")[2]] if "$ref" in schema else schema
    if "oneOf" in schema:
        schema = schema["oneOf"][-1]
        schema = SCHEMA["$defs"][schema["$ref"].rpartition("/")[2]] if "$ref" in schema else schema
    if isinstance(facts, dict) and "additionalProperties" not in schema:
        assert facts.keys() <= schema["properties"].keys()
        for key, value in facts.items():
            everything_is_described(value, schema["properties"][key])
    elif isinstance(facts, list):
        for each in facts:
            everything_is_described(each, schema["items"])


def test_the_facts_fit_their_schema(facts: dict[str, Any]) -> None:
    check(facts)
    everything_is_described(facts, SCHEMA)
    assert facts["version"] == VERSION == SCHEMA["properties"]["version"]["const"]


def test_a_report_tells_what_happened(facts: dict[str, Any], reports: Path) -> None:
    small = reports / "small.pb"
    assert facts["how"] == "recipe eight-bit-legacy"
    assert facts["command"].startswith("pbslim shrink ")
    assert "--recipe=eight-bit-legacy" in facts["command"]
    for side, path in (("before", DIGITS), ("after", small)):
        assert facts[side]["bytes"] == path.stat().st_size
        assert facts[side]["sha256"] == hashlib.sha256(path.read_bytes()).hexdigest()
        assert sum(facts[side]["ops"].values()) == facts[side]["nodes"] == len(pbslim.load(path))
    assert facts["steps"][-1]["bytes"] == small.stat().st_size
    assert facts["steps"][0]["bytes"] == DIGITS.stat().st_size
    assert [step["step"].partition("(")[0] for step in facts["steps"]][-1] == "quantize_weights"
    assert facts["verification"]["accuracy"]["first"]["share"] > 0.9
    assert facts["layers"]
    bits = {each["name"]: each["after"]["bits"] for each in facts["weights"] if each["after"]}
    assert 8 <= bits["fc1/kernel"] < 8.1
    spread = next(each for each in facts["spreads"] if each["name"] == "fc1/kernel")
    assert sum(spread["before"]) == sum(spread["after"]) == 384 * 128
    assert spread["distinct_after"] <= 256 < spread["distinct_before"]


def test_the_page_stands_alone(reports: Path) -> None:
    page = (reports / "report.html").read_text()
    assert len(page) < 2_000_000
    assert "<script" not in page
    assert not re.search(r'(?:src|href)="(?!#|data:)|url\(|@import', page)
    assert "<code>fc1/<wbr>kernel</code>" in page
    assert "&lt;" not in page
    assert page.count("<svg") == page.count('<svg role="img" aria-label="') >= 2
    anchors, ids = re.findall('href="#([^"]+)"', page), re.findall('<h2 id="([^"]+)"', page)
    assert set(anchors) == set(ids)
    assert len(ids) == 9


def test_all_forms_come_from_the_facts(facts: dict[str, Any], reports: Path, tmp_path: Path) -> None:
    out = tmp_path / "again.md"
    done = commands.run("report", reports / "report.json", "-o", out)
    assert (done.code, done.out) == (0, f"{out} written\n")
    assert out.read_bytes() == (reports / "report.md").read_bytes()
    assert commands.run("report", reports / "report.json").out == out.read_text()
    assert documents.page(facts) == documents.page(facts) == (reports / "report.html").read_text()


def test_two_files_are_compared(reports: Path, tmp_path: Path) -> None:
    out = tmp_path / "report.json"
    done = commands.run("report", DIGITS, reports / "small.pb", "-o", out, "--samples=2", "--quiet")
    assert (done.code, done.out, done.err) == (0, "", "")
    found = documents.read(out)
    check(found)
    everything_is_described(found, SCHEMA)
    assert (found["how"], found["steps"], found["seconds"]) == ("comparison", [], None)
    assert found["verification"]["samples"] == 2
    assert found["layers"]
    text = documents.page(found)
    assert "Two files do not tell" in text
    assert 'id="steps"' not in text


def test_files_that_cannot_run_are_reported_all_the_same(tmp_path: Path) -> None:
    path = tmp_path / "a.pb"
    pbslim.save(graph("x = Placeholder(shape=[2])\nc = Const([1, 2])\ny = NoSuchOp(x, c)\n-> y"), path)
    done = commands.run("report", path, path, "--json")
    found = json.loads(done.out)
    check(found)
    assert found["verification"] is None
    assert "NoSuchOp" in found["not_verified"]
    assert "not verified" in documents.page(found)
    assert "Not verified: " in documents.markdown(found)


HOSTILE = "</style><script>alert(1)</script>`|\n\x1b[31m\u202e"


def test_names_out_of_a_file_stay_names(facts: dict[str, Any]) -> None:
    bad = copy.deepcopy(facts)
    for each in [*bad["weights"], *bad["spreads"], *bad["layers"], *bad["inputs"]]:
        each["name"] = HOSTILE
    bad["command"] = bad["before"]["file"] = HOSTILE
    bad["notes"].append(HOSTILE)
    bad["examples"] = [
        dict.fromkeys(SCHEMA["$defs"]["example"]["properties"], HOSTILE)
        | {"number": 0, "decisions": 1, "first_score": None, "second_score": 0.5}
    ]
    page, text = documents.page(bad), documents.markdown(bad)
    assert "<script" not in page
    assert not re.search("[\x1b\u202e]", page + text)
    rows = [line for line in text.splitlines() if line.startswith("| `` <")]
    assert rows
    assert all(len(re.split(r"(?<!\\)\|", row)) in (6, 7) for row in rows)


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("{}", "is not a report"),
        ("[]", "is not a report"),
        ("{", "is not a report"),
        ('{"kind": "pbslim report", "version": 99}', "version 99, this release reads 1"),
        ('{"kind": "pbslim report", "version": 1}', "are not complete"),
        ('{"kind": "pbslim report", "version": 1, "layers": 3, "spreads": 4}', "are not complete"),
    ],
)
@pytest.mark.parametrize("kind", ["html", "md"])
def test_other_json_is_refused(content: str, says: str, kind: str, tmp_path: Path) -> None:
    given, out = tmp_path / "x.json", tmp_path / f"x.{kind}"
    given.write_text(content)
    done = commands.run("report", given, "-o", out)
    assert done.refused
    assert says in done.err
    assert not out.exists()


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["report", DIGITS, DIGITS, DIGITS], "one report in JSON"),
        (["report", DIGITS, DIGITS, "-o", "x.pdf"], "must end in one of .html"),
        (["shrink", DIGITS, "-o", "x.pb", "--report", "x"], "must end in one of .html"),
        (["shrink", DIGITS, "-o", "x.pb", "--report", "no/x.html"], "its folder is not there"),
        (["report", "no.json"], "cannot read 'no.json'"),
    ],
)
def test_what_cannot_be_a_report_is_refused_first(
    arguments: list[object], says: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    done = commands.run(*arguments)
    assert done.refused
    assert says in done.err
    assert not list(tmp_path.iterdir())


def test_the_original_may_come_from_a_pipe(tmp_path: Path) -> None:
    import subprocess

    out = tmp_path / "report.json"
    command = [sys.executable, "-m", "pbslim", "shrink", "-", "-o", str(tmp_path / "x.pb"), "--recipe=optimize"]
    with DIGITS.open("rb") as stdin:
        subprocess.run([*command, "--no-verify", "--report", str(out), "-q"], stdin=stdin, check=True)
    found = documents.read(out)
    check(found)
    assert found["before"]["sha256"] == hashlib.sha256(DIGITS.read_bytes()).hexdigest()
    assert found["verification"] is None
    assert found["layers"] == []  # which nobody may run


def graph(text: str) -> pbslim.Graph:
    return parse(text)[0]


def test_bits_of_weights_that_are_decoded_together() -> None:
    """Parts that several are decoded from count for each by its share."""
    before = graph(
        f"x = Placeholder()\na = Const({[[1.5] * 30] * 20})\nb = Const({[[2.5] * 10] * 20})\ny = Add(a, b)\n-> y"
    )
    codes = np.arange(800, dtype=np.uint8).reshape(20, 40).tolist()
    after = graph(f"""
        codes = Const({codes}, dtype='uint8')
        all = Cast(codes, DstT='float')
        axis = Const(1, dtype='int32')
        sizes = Const([30, 10], dtype='int32')
        parts = SplitV(all, sizes, axis, num_split=2)
        a = Identity(parts)
        b = Identity(parts:1)
        y = Add(a, b)
        -> y
    """)
    found = {each.name: each for each in biggest(before, after)}
    assert set(found) == {"a", "b"}
    for name, elements in (("a", 600), ("b", 200)):
        stored = found[name].after
        assert stored
        assert stored.dtype == "uint8"
        assert stored.bytes == pytest.approx(elements * (800 + 12) / 800, abs=1)
        assert stored.bits == pytest.approx(8 * stored.bytes / elements, abs=0.02)


def test_values_after_folding_are_compared_with_values_after_folding() -> None:
    weights = np.random.default_rng(0).normal(size=(16, 20))
    text = "x = Placeholder(shape=[1, 16])\nw = Const({})\ns = Const({})\nm = MatMul(x, w)\ny = Mul(m, s)\n-> y"
    scales = np.linspace(1, 30, 20)
    before = graph(text.format(weights.tolist(), scales.tolist()))
    after = graph(text.format((np.round(weights * scales, 1)).tolist(), [1.0] * 20))
    (spread,) = spreads(before, after, find_names(before)[1], [], 4)
    assert spread.folded
    assert spread.snr
    assert spread.snr > 30


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (["--target-size=90kB"], "at most 90000 bytes"),
        (["--min-agreement=97.5%"], "at least 20 dB, 97.5 % of decisions"),
        (["--quality=small"], "quality small"),
        (["--recipe=round-legacy"], "recipe round-legacy"),
    ],
)
def test_what_was_asked_for_is_told(options: list[str], says: str, tmp_path: Path) -> None:
    small, out = tmp_path / "small.pb", tmp_path / "report.json"
    done = commands.run("shrink", DIGITS, "-o", small, "--effort=least", "--report", out, "--no-verify", *options)
    assert done.code == 0
    assert done.out.rstrip().endswith(f"({says})")
    found = documents.read(out)
    assert found["how"] == says
    assert found["not_verified"] == "--no-verify was given"
    assert "Not verified: --no-verify was given" in documents.markdown(found)


def test_a_file_that_grew_is_not_called_smaller(facts: dict[str, Any]) -> None:
    grown = {**facts, "before": {**facts["before"], "bytes": 100}, "after": {**facts["after"], "bytes": 2500}}
    assert "25.00x larger" in documents.page(grown)
    assert "| 25.00x larger |" in documents.markdown(grown)


def test_what_makes_weights_small_is_the_last_step(tmp_path: Path) -> None:
    small, out = tmp_path / "small.pb", tmp_path / "report.json"
    done = commands.run("shrink", DIGITS, "-o", small, "--recipe=eight-bit", "--no-verify", "--report", out, "-q")
    assert (done.code, done.out) == (0, "")
    found = documents.read(out)
    check(found)
    *_, before, last = found["steps"]
    assert (last["step"], last["bytes"]) == ("weights in fewer bits", small.stat().st_size)
    assert last["bytes"] < before["bytes"] / 3
    bits = {each["name"]: each["after"]["bits"] for each in found["weights"] if each["after"]}
    assert 8 <= bits["fc1/kernel"] < 8.3
