"""What can be asked of a compression, on a network that takes a moment."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import pbslim
from pbslim.compression.estimate import Forecast, Progress
from pbslim.compression.promises import PROMISES, Promise
from pbslim.compression.schemes import Rule
from pbslim.errors import CheckError, UsageError
from pbslim.shrinking.options import CompressionOptions
from pbslim.shrinking.proof import Proof
from pbslim.shrinking.scheme_file import read_rules
from pbslim.shrinking.shrink import ShrinkResult, shrink
from tests import commands
from tests.compression.networks import classifier


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("model") / "model.pb"
    pbslim.save(classifier(), path)
    return path


@pytest.fixture
def shrunk(model: Path, tmp_path: Path) -> Callable[..., ShrinkResult]:
    def run(proof: Proof | None = None, effort: str = "low", **options: Any) -> ShrinkResult:
        return shrink(model, tmp_path / "out.pb", options=CompressionOptions(effort=effort, **options), proof=proof)

    return run


def stored(result: ShrinkResult) -> dict[str, str]:
    assert result.plan
    return {choice.name: choice.form for choice in result.plan.choices}


@pytest.mark.parametrize("floor", [27.0, 38.0])
def test_what_is_demanded_beyond_the_promise_is_kept(shrunk: Callable[..., ShrinkResult], floor: float) -> None:
    result = shrunk(Proof(min_snr=floor, samples=24), promise=PROMISES["small"])
    assert result.verification
    assert result.verification.snr >= floor
    assert not result.interrupted
    assert result.attempts[-1].kept or any(each.kept for each in result.attempts)
    assert all(each.size >= result.after.size for each in result.attempts if each.kept)


def test_the_search_tightens_until_decisions_are_equal(shrunk: Callable[..., ShrinkResult]) -> None:
    result = shrunk(Proof(min_agreement=1.0, samples=40), promise=Promise(3.0, 0.5))
    assert result.verification
    assert result.verification.agreement
    assert result.verification.agreement.share == 1.0
    wanted = [each.wanted for each in result.attempts]
    assert len(wanted) > 1
    assert wanted[0] == 3.5
    assert max(wanted) > 4.5


def test_accuracy_may_not_drop_by_more(model: Path, tmp_path: Path, shrunk: Callable[..., ShrinkResult]) -> None:
    images = np.random.default_rng(2).uniform(0, 1, (64, 16, 16, 3)).astype(np.float32)
    scores = pbslim.run(pbslim.load(model), {"x": images})["scores"]
    assert np.diff(np.sort(scores)[:, -2:]).min() > 1e-4  # in a tie, any change of weights may decide
    np.savez(tmp_path / "eval.npz", x=images, labels=scores.argmax(-1))
    proof = Proof(evaluation=tmp_path / "eval.npz", max_drop=0.0)
    result = shrunk(proof, promise=Promise(0.0, 0.1))
    assert result.verification
    assert result.verification.accuracy
    assert result.verification.accuracy.drop == 0
    assert len(result.attempts) > 1
    assert not result.attempts[0].kept


def test_a_promise_that_nothing_keeps_writes_nothing(model: Path, tmp_path: Path) -> None:
    done = commands.run("shrink", model, "-o", tmp_path / "out.pb", "--min-snr=140", "--effort=low")
    assert (done.code, done.out) == (1, "")
    assert "140" in done.err
    assert not list(tmp_path.iterdir())


def test_a_kept_promise_is_no_reason_to_warn(model: Path, tmp_path: Path) -> None:
    done = commands.run("shrink", model, "-o", tmp_path / "out.pb", "--quality=small", "--effort=low")
    assert done.code == 0, done.err
    assert "WARNING" not in done.err
    for row in ("bytes", "zipped", "verdict", "SNR", "decisions", "time"):
        assert f"\n {row} " in done.out


def test_schemes_are_followed(shrunk: Callable[..., ShrinkResult], tmp_path: Path) -> None:
    rules = ("*=int8", "deep/*=int4", "conv/weights=float16", "dense*=float32")
    result = shrunk(schemes=tuple(map(Rule.parse, rules)), promise=Promise(5.0, 0.5))
    assert stored(result) == {"conv/weights": "float16", "deep/weights": "int4"}
    assert pbslim.load(tmp_path / "out.pb")["dense/weights"].op == "Const"
    assert result.plan
    assert result.plan.rules == rules


def test_a_rule_about_nothing_is_a_mistake(shrunk: Callable[..., ShrinkResult], model: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no weight fits 'cnov\\*'"):
        shrunk(schemes=(Rule.parse("cnov*=int8"),))
    with pytest.raises(UsageError, match="no weight fits 'logits/\\*'"):
        shrunk(keep=("logits/*",))
    for option in ("--scheme=conv", "--scheme=conv*=int3", "--scheme==int8", "--scheme=cnov*=int8"):
        assert commands.run("shrink", model, "-o", tmp_path / "out.pb", option).refused


def test_rules_from_a_file(tmp_path: Path) -> None:
    path = tmp_path / "rules.yaml"
    path.write_text("# the first layers\n'conv*/weights': int8\ndense/*: float16\n")
    assert read_rules(path) == (Rule("conv*/weights", "int8"), Rule("dense/*", "float16"))
    for text in ("- a", "a: 1", "a: int9", "{", "a: &a [*a]"):
        path.write_text(text)
        with pytest.raises(UsageError, match=r"rules\.yaml"):
            read_rules(path)
    with pytest.raises(UsageError, match=r"^cannot read '.*none\.yaml': No such file"):
        read_rules(tmp_path / "none.yaml")


def test_a_goal_is_served(shrunk: Callable[..., ShrinkResult], tmp_path: Path) -> None:
    promise = Promise(12.0, 0.5)
    found: dict[str, ShrinkResult] = {}
    for goal in ("raw", "ram", "zip"):
        found[goal] = shrunk(goal=goal, target="tf1.4", promise=promise)
        assert "DecodeCompressed" not in {node.op for node in pbslim.load(tmp_path / "out.pb")}
    raw, zipped = found["raw"].after, found["zip"].after
    assert raw.size < zipped.size
    assert zipped.zipped.bytes < raw.zipped.bytes


def test_what_was_found_so_far_is_kept_when_somebody_stops(shrunk: Callable[..., ShrinkResult]) -> None:
    def stop_at(what: str, number: int) -> Callable[[Progress], None]:
        def tell(now: Progress) -> None:
            if now.what == what and now.done >= number and not told:
                told.append(now.what)
                raise KeyboardInterrupt

        told: list[str] = []
        return tell

    result = shrunk(Proof(samples=24), tell=stop_at("verifying, attempt 2", 0), promise=Promise(-9.0, 0.0))
    assert result.interrupted or len(result.attempts) == 1
    promise = Promise(16.0, 0.95)  # the first result of a search at 20 dB may miss that by luck
    result = shrunk(Proof(samples=24), tell=stop_at("verifying, attempt 1", 0), promise=promise)
    assert result.interrupted
    assert any("interrupted" in note for note in result.notes)
    assert result.verification
    assert result.verification.snr >= promise.snr
    result = shrunk(Proof(samples=24), tell=stop_at("verifying, attempt 1", 0), target_size=result.after.size)
    assert result.interrupted
    assert result.verification
    with pytest.raises(KeyboardInterrupt):
        shrunk(Proof(samples=24), tell=stop_at("trying each weight", 3))


def test_more_effort_is_not_larger(shrunk: Callable[..., ShrinkResult]) -> None:
    sizes = [shrunk(effort=effort).after.size for effort in ("low", "normal", "high")]
    assert sizes[2] <= sizes[1] < sizes[0]


def test_a_plan_repeats_all_that_was_asked_for(model: Path, tmp_path: Path) -> None:
    first, again, plan = (tmp_path / name for name in ("first.pb", "again.pb", "plan.json"))
    asked = ["--target=tf1.4", "--scheme=conv/*=float16", "--effort=low", "--keep=deep/*", "--quality=small"]
    done = commands.run("shrink", model, "-o", first, "--save-plan", plan, *asked)
    assert done.code == 0, done.err
    done = commands.run("shrink", model, "-o", again, "--plan", plan, "--no-verify")
    assert done.code == 0, done.err
    assert again.read_bytes() == first.read_bytes()


def test_given_inputs_that_the_search_has_not_seen_decide(shrunk: Callable[..., ShrinkResult], tmp_path: Path) -> None:
    images = np.random.default_rng(2).uniform(0, 1, (64, 16, 16, 3)).astype(np.float32)
    np.savez(tmp_path / "inputs.npz", x=images)
    kept = shrunk(Proof(samples=4), calibrate=tmp_path / "inputs.npz", promise=Promise(20.0, 0.0)).verification
    assert kept
    assert (kept.samples, kept.origin) == (16, "the given inputs")
    images[3::4] *= 1e-3  # black pictures, on which next to nothing is signal
    np.savez(tmp_path / "dark.npz", x=images)
    with pytest.raises(CheckError, match=r"not used before|no weights in fewer bits"):
        shrunk(Proof(), calibrate=tmp_path / "dark.npz", promise=Promise(40.0, 0.0))


def test_what_would_take_too_long_is_done_cheaply_and_told_first(shrunk: Callable[..., ShrinkResult]) -> None:
    told: list[str] = []
    order: list[str] = []
    result = shrunk(
        Proof(samples=24),
        effort="normal",
        time_limit=0.001,
        say=told.append,
        tell=lambda now: order.append(now.what) if told else order.append("too early"),
    )
    assert result.plan
    assert result.plan.effort == "least"
    assert "too early" not in order
    assert told[0].startswith("a search with effort normal would take about")
    assert told[0].endswith("weights rounded plainly")
    assert result.verification
    assert result.verification.snr >= PROMISES["balanced"].snr
    assert shrunk(time_limit=1e6, effort="normal").plan.effort == "normal"  # type: ignore[union-attr]


def test_what_there_was_no_time_to_find_is_not_called_impossible(shrunk: Callable[..., ShrinkResult]) -> None:
    with pytest.raises(CheckError, match=r"the time was up .* promise of 190 dB; .* \(effort normal takes about \d+ s"):
        shrunk(effort="normal", time_limit=0.001, promise=Promise(190.0, 0.0))
    with pytest.raises(CheckError, match="no weights in fewer bits keep 190"):
        shrunk(effort="least", time_limit=1e6, promise=Promise(190.0, 0.0))


def test_a_size_that_no_file_has_is_refused_with_the_smallest(shrunk: Callable[..., ShrinkResult]) -> None:
    with pytest.raises(CheckError, match=r"at most 100 bytes; the coarsest make it \d+: ask for more") as caught:
        shrunk(target_size=100)
    smallest = int(str(caught.value).split("make it ")[1].split(":")[0])
    assert shrunk(target_size=smallest).after.size <= smallest


def test_the_forecast_corrects_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [0.0]
    monkeypatch.setattr("time.perf_counter", lambda: now[0])
    seen: list[Progress] = []
    forecast = Forecast({"measuring inputs": 1.0, "searching": 3.0, "verifying": 2.0}, seen.append, now[0])
    now[0] = 2.0
    forecast.tell("measuring inputs", 10, 10)  # which took twice as long as expected
    assert seen[-1].left == pytest.approx(10.0)
    assert seen[-1].share == pytest.approx(2 / 12)
    now[0] = 5.0
    forecast.tell("searching", 1, 2)
    assert seen[-1].left == pytest.approx(3.5 * 2)
    forecast.tell("verifying, attempt 2", 1, 1)
    assert seen[-1].left == 0
    forecast.tell("something else", 1, 1)
    assert seen[-1].left is None
