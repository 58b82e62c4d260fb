"""Several models, and work that is done elsewhere."""

from __future__ import annotations

import json
import multiprocessing
from concurrent.futures import Executor, ProcessPoolExecutor, ThreadPoolExecutor
from pathlib import Path

import pytest

import pbslim
from pbslim.compression.promises import Promise
from pbslim.errors import UsageError
from pbslim.shrinking.many import Outcome, shrink_many
from pbslim.shrinking.options import CompressionOptions
from pbslim.shrinking.proof import Proof
from pbslim.shrinking.shrink import shrink
from tests import commands
from tests.compression.networks import classifier

OPTIONS = CompressionOptions(Promise(15.0, 0.5), effort="low")


@pytest.fixture
def models(tmp_path: Path) -> list[Path]:
    paths = [tmp_path / f"{name}.pb" for name in ("first", "second")]
    for seed, path in enumerate(paths):
        pbslim.save(classifier(seed), path)
    return paths


def test_several_models_on_the_command_line(models: list[Path], tmp_path: Path) -> None:
    (tmp_path / "broken.pb").write_bytes(b"no graph")
    given = [*models, tmp_path / "broken.pb"]
    done = commands.run("shrink", *given, "--out-dir", tmp_path / "out", "--recipe=optimize", "--no-verify")
    assert done.code == 2
    assert done.err.startswith(f"error: '{tmp_path / 'broken.pb'}' is not a frozen graph")
    assert [line.split()[0] for line in done.out.splitlines() if ".pb" in line] == [
        "first.pb",
        "second.pb",
        "broken.pb",
    ]
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["first.pb", "second.pb"]
    done = commands.run("shrink", *models, "--out-dir", tmp_path / "out", "--min-snr=150", "--effort=low", "--json")
    assert done.code == 1
    assert [each["problem"].startswith("no weights") for each in json.loads(done.out)] == [True, True]


def test_a_model_that_is_missing_is_named_once(models: list[Path], tmp_path: Path) -> None:
    missing = tmp_path / "missing.pb"
    done = commands.run("shrink", models[0], missing, "--out-dir", tmp_path / "out", "--recipe=optimize")
    assert done.code == 2
    assert done.err == f"error: cannot read '{missing}': No such file or directory\n"


def test_what_is_for_one_model(models: list[Path], tmp_path: Path) -> None:
    for options in ([], ["--out-dir=d", "-o", "x"], ["--out-dir=d", "--report=r.md"], ["--out-dir=d", "--save-plan=p"]):
        assert commands.run("shrink", *models, *options).refused
    assert "by itself" in commands.run("shrink", *models, "--out-dir=d", "--report=r.md").err
    with pytest.raises(UsageError, match=r"both become '.*': --out-dir needs models of different names"):
        shrink_many([models[0], models[0]], tmp_path / "out")


@pytest.mark.slow
def test_processes_work_at_the_same_time(models: list[Path], tmp_path: Path) -> None:
    heard: list[Outcome] = []
    listening = CompressionOptions(Promise(15.0, 0.5), effort="low", say=lambda _: None)  # cannot be sent
    proof = Proof(samples=8, on_progress=lambda _done, _all: None)
    found = shrink_many(models, tmp_path / "out", jobs=2, on_done=heard.append, options=listening, proof=proof)
    assert [each.source for each in found] == models
    assert len(heard) == 2
    for outcome in found:
        assert outcome.result, outcome.problem
        assert outcome.result.verification
        shrink(outcome.source, tmp_path / "alone.pb", options=OPTIONS)
    alone = shrink_many(models[1:], tmp_path / "alone", options=OPTIONS, proof=proof)
    assert (tmp_path / "alone" / "second.pb").read_bytes() == (tmp_path / "out" / "second.pb").read_bytes()
    assert alone[0].result


def same_bytes(model: Path, executor: Executor) -> None:
    """What tries weights elsewhere finds the same."""
    folder = model.parent
    shrink(model, folder / "here.pb", options=OPTIONS)
    there = CompressionOptions(OPTIONS.promise, effort="low", executor=executor)
    shrink(model, folder / "there.pb", options=there)
    assert (folder / "here.pb").read_bytes() == (folder / "there.pb").read_bytes()


def test_threads_try_weights(models: list[Path]) -> None:
    with ThreadPoolExecutor(2) as executor:
        same_bytes(models[0], executor)


@pytest.mark.slow
def test_processes_try_weights(models: list[Path]) -> None:
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as executor:
        same_bytes(models[0], executor)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # of ports that are in use, and of sockets that are closed late
def test_a_dask_cluster_does_both(models: list[Path], tmp_path: Path) -> None:
    distributed = pytest.importorskip("distributed")
    cluster = distributed.LocalCluster(n_workers=1, threads_per_worker=2, processes=False, dashboard_address=None)
    with cluster, distributed.Client(cluster) as client:
        executor = client.get_executor()
        same_bytes(models[0], executor)
        found = shrink_many(models, tmp_path / "out", executor=executor, options=OPTIONS)
        assert [each.problem for each in found] == ["", ""]
