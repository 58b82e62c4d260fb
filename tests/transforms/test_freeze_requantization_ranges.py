"""freeze_requantization_ranges: the log, the range that is made of it, and the graph."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import pbslim
from pbslim.errors import TransformError
from pbslim.quant.ranges import logged_range
from pbslim.transforms.quantization.range_log import read_ranges
from tests.graphs import apply, parse, show

GRAPH = """
    x = Placeholder(dtype='qint32')
    a = Const(-10)
    b = Const(10)
    rr = RequantizationRange(x, a, b)
    rq = Requantize(x, a, b, rr, rr:1)
    y = Dequantize(rq, rq:1, rq:2)
    -> y
"""
RECORD = ";rr__print__;__requant_min_max:[-20.5][22.25]\n"


def freeze(tmp_path: Path, log: str, text: str = GRAPH, arguments: str = "") -> list[tuple[str, str]]:
    """What was skipped, if the graph stayed as it was."""
    (tmp_path / "log").write_text(log)
    graph, (result,) = apply(f'freeze_requantization_ranges(min_max_log_file="{tmp_path}/log"{arguments})', text)
    assert show(graph) == show(parse(text)[0])
    return [(s.node, s.reason) for s in result.skipped]


# The log


@pytest.mark.parametrize(
    "line",
    [
        ";n__print__;__requant_min_max:[-1.5][2]",
        "I0000 00:00 logging.cc:1] ;RequantizationRange;;n__print__;__requant_min_max:[ -1.5 ][+0x2p0] and so on\r",
        "x;__requant_min_max:[9][9];n__print__;__requant_min_max:[-1.5][2.0e0];[7]",
    ],
)
def test_records(line: str) -> None:
    assert read_ranges(f"other\n{line}\n") == ({"n": ([-1.5], [2])}, 0)


@pytest.mark.parametrize(
    "line",
    [
        "n__print__;__requant_min_max:[-1.5]",
        "n__print__;__requant_min_max:[-1.5][2][3]",
        "n__print__;__requant_min_max:[-1.5][two]",
        "n__print__;__requant_min_max:-1.5 2",
        "n__print__;__requant_min_max:[-1.5][2]]",
        "n__print__;__requant_min_max:[-1.5[2]",
        "n__print__;__requant_min_max: [-1.5][2]",
        "n__print__;__requant_min_max:[1][2];m;__requant_min_max:[1][2]",
        "n; __requant_min_max:[-1.5][2]",
        "",
    ],
)
def test_other_lines_are_passed_over(line: str) -> None:
    assert read_ranges(line) == ({}, 0)


def test_records_of_several_nodes() -> None:
    log = ";a__print__;__requant_min_max:[-1][1]\n;b c__print__;__requant_min_max:[0][3]\n" * 2
    assert read_ranges(log) == ({"a": ([-1, -1], [1, 1]), "b c": ([0, 0], [3, 3])}, 0)


# The range


@pytest.mark.parametrize(
    ("count", "low", "high", "places"),
    [
        (1, 5, 5, (0, 0)),
        (10, 5, 5, (1, 9)),  # 0.5 and 9.5 are rounded away from zero
        (20, 5, 5, (1, 19)),
        (100, 5, 5, (5, 95)),
        (100, 0, 0, (0, 99)),
        (4, 25, 50, (1, 2)),
        (1, 50, 100, (0, 0)),
        (8, 100, 200, (7, 0)),
        (8, -50, -50, (0, 7)),
    ],
)
def test_which_records_count(count: int, low: float, high: float, places: tuple[int, int]) -> None:
    numbers = list(np.random.default_rng(5).permutation(count).astype(float))
    found = logged_range([-n for n in numbers], numbers, low, high)
    assert tuple(map(int, found)) == (places[0] - count + 1, places[1])


# The graph


def test_ranges_become_constants(tmp_path: Path) -> None:
    (tmp_path / "log").write_text(RECORD)
    graph, _ = apply(f'freeze_requantization_ranges(min_max_log_file="{tmp_path}/log")', GRAPH)
    wanted = GRAPH.replace(
        "rr = RequantizationRange(x, a, b)", "rr/frozen_min = Const(-20.5)\nrr/frozen_max = Const(22.25)"
    )
    assert show(graph) == show(parse(wanted.replace("rr, rr:1)", "rr/frozen_min, rr/frozen_max)"))[0])
    assert [node.name for node in graph][3:5] == ["rr/frozen_min", "rr/frozen_max"]


def test_control_edges_go_on(tmp_path: Path) -> None:
    (tmp_path / "log").write_text(RECORD)
    text = GRAPH.replace("rq:2)", "rq:2, ^rr)")
    graph, _ = apply(f'freeze_requantization_ranges(min_max_log_file="{tmp_path}/log")', text)
    assert graph["y"].controls == (graph["rr/frozen_min"],)


def test_a_constant_in_a_loop_stays_in_it(tmp_path: Path) -> None:
    (tmp_path / "log").write_text(RECORD)
    text = GRAPH.replace("rr =", "e = Enter(x, frame_name='f')\n    rr =").replace("Range(x", "Range(e")
    graph, _ = apply(f'freeze_requantization_ranges(min_max_log_file="{tmp_path}/log")', text)
    assert graph["rr/frozen_max"].controls == (graph["e"],)


def test_a_range_without_records_stays(tmp_path: Path) -> None:
    other = "    s = RequantizationRange(x, a, b)\n    t = Neg(s)\n    -> y, t"
    (tmp_path / "log").write_text(RECORD)
    text = GRAPH.replace("    -> y", other)
    graph, (result,) = apply(f'freeze_requantization_ranges(min_max_log_file="{tmp_path}/log")', text)
    assert graph["s"].op == "RequantizationRange"
    assert [(s.node, s.reason) for s in result.skipped] == [("s", f"{tmp_path}/log has no range of it")]


def test_an_output_stays(tmp_path: Path) -> None:
    reasons = freeze(tmp_path, RECORD, GRAPH.replace("-> y", "-> y, rr:1"))
    assert reasons == [("rr", "it is an input or output of the graph")]


@pytest.mark.parametrize(("bounds", "shown"), [("[1][2]", "1 to 2"), ("[-1][-2]", "-1 to -2")])
def test_a_range_that_requantize_refuses_is_not_frozen(bounds: str, shown: str, tmp_path: Path) -> None:
    reasons = freeze(tmp_path, f";rr__print__;__requant_min_max:{bounds}")
    assert reasons == [("rr", f"Requantize refuses its range from {shown}")]


def test_a_range_with_more_outputs_than_there_are_stays(tmp_path: Path) -> None:
    reasons = freeze(tmp_path, RECORD, GRAPH.replace("rr:1)", "rr:2)"))
    assert reasons == [("rr", "more outputs are read than it has")]


def test_nan_is_left_out(tmp_path: Path) -> None:
    (tmp_path / "log").write_text(RECORD + RECORD.replace("-20.5", "nan") + RECORD.replace("22.25", "inf"))
    graph, (result,) = apply(f'freeze_requantization_ranges(min_max_log_file="{tmp_path}/log")', GRAPH)
    assert result.notes == [f"{tmp_path}/log: 2 ranges with NaN or infinity are left out"]
    assert float(graph["rr/frozen_min"].tensor().numpy()) == -20.5


@pytest.mark.parametrize(
    ("log", "arguments", "message"),
    [
        ("nothing", "", "log holds no range; log it by insert_logging"),
        (RECORD.replace("rr", "zz"), "", "log has ranges of 'zz', which is not in the graph"),
        (RECORD.replace(";rr", ";rq"), "", "log has ranges of 'rq', which is a Requantize, not a RequantizationRange"),
        (RECORD, ", min_percentile=nan", "min_percentile and max_percentile must be numbers"),
    ],
)
def test_errors(log: str, arguments: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(TransformError, match=message):
        freeze(tmp_path, log, arguments=arguments)


def test_a_missing_file_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(TransformError, match=r"min_max_log_file '.*/none' cannot be read: No such file or directory"):
        apply(f'freeze_requantization_ranges(min_max_log_file="{tmp_path}/none")', GRAPH)


# With what TensorFlow prints

NET = """
    x = Placeholder(shape=[1, 3])
    w = Const([[1, -2], [3, 4], [-1, 0.5]])
    m = MatMul(x, w)
    b = Const([0.5, -1])
    y = BiasAdd(m, b)
    -> y
"""


@pytest.mark.tensorflow
def test_log_and_freeze(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("tensorflow")
    from pbslim.engines import tensorflow

    graph, _ = apply("quantize_nodes strip_unused_nodes", NET)
    pbslim.save(graph, tmp_path / "codes.pb")
    message = 'insert_logging(op=RequantizationRange, show_name=true, message="__requant_min_max:")'
    pbslim.transform(graph, message, ["x"], ["y"])
    pbslim.save(graph, tmp_path / "logging.pb")
    capfd.readouterr()
    for seed in range(20):
        feeds = {"x": np.random.default_rng(seed).uniform(-2, 2, (1, 3)).astype(np.float32)}
        tensorflow.run(tmp_path / "logging.pb", feeds, ["y"])
    log = capfd.readouterr().err
    (tmp_path / "log").write_text(log)
    records, _ = read_ranges(log)
    assert {name: len(lows) for name, (lows, _) in records.items()} == {
        f"{op}/eightbit/requant_range": 20 for op in ("m", "y")
    }
    graph = pbslim.load(tmp_path / "codes.pb")
    freeze_all = f'freeze_requantization_ranges(min_max_log_file="{tmp_path}/log", min_percentile=0, max_percentile=0)'
    pbslim.transform(graph, f"{freeze_all} strip_unused_nodes", ["x"], ["y"])
    assert not any(node.op == "RequantizationRange" for node in graph)
    pbslim.save(graph, tmp_path / "frozen.pb")
    float_graph, _ = parse(NET)
    pbslim.save(float_graph, tmp_path / "float.pb")
    feeds = {"x": np.random.default_rng(3).uniform(-2, 2, (1, 3)).astype(np.float32)}
    wanted, got = (tensorflow.run(tmp_path / name, feeds, ["y"])[0] for name in ("float.pb", "frozen.pb"))
    # A step of each result, whose ranges are those of the log, and half a step of each of three products.
    steps = sum(max(highs) - min(lows) for lows, highs in records.values()) / 255
    assert np.abs(got - wanted).max() <= steps + 3 * (4 * 4 / 255 / 2 + 2 * 6 / 255 / 2) < np.ptp(wanted) / 4
