"""Several models, and work that is done elsewhere."""

from __future__ import annotations

import json
import multiprocessing
import os
import signal
import subprocess
import sys
import time
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
    alone = shrink_many(models, tmp_path / "alone", options=OPTIONS, proof=proof)
    for here, there in zip(alone, found, strict=True):
        assert here.result, here.problem
        assert here.out.read_bytes() == there.out.read_bytes()


def _writers(pipes: list[Path]) -> list[int]:
    """The ends to write to, as soon as somebody reads each."""
    found: list[int] = []
    end = time.monotonic() + 300
    while len(found) < len(pipes) and time.monotonic() < end:
        try:
            found.append(os.open(pipes[len(found)], os.O_WRONLY | os.O_NONBLOCK))
        except OSError:  # nobody does yet
            time.sleep(0.05)
    assert len(found) == len(pipes)
    return found


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="Windows has other signals and pipes")
@pytest.mark.parametrize("how", ["Ctrl-C", "Ctrl-C with JSON", "killed"])
def test_processes_end_when_they_are_stopped(models: list[Path], tmp_path: Path, how: str) -> None:
    pipes = [tmp_path / f"pipe{number}.pb" for number in range(4)]  # of which the first two keep both processes waiting
    for pipe in pipes:
        os.mkfifo(pipe)
    folders = [tmp_path / name for name in ("out", "temporary")]
    folders[1].mkdir()
    words = ["shrink", models[0], *pipes, "--out-dir", folders[0], "--jobs=2", "--recipe=optimize", "--no-verify"]
    argv = [sys.executable, "-m", "pbslim", *map(str, words), *(["--json"] if "JSON" in how else [])]
    child = subprocess.Popen(
        argv,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        env={**os.environ, "TMPDIR": str(folders[1]), "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    ends = _writers(pipes[:2])
    time.sleep(0.3)  # until it has heard of the first model
    if how == "killed":
        child.kill()
    else:
        os.killpg(child.pid, signal.SIGINT)
    out, err = child.communicate(timeout=30)  # all that have these streams are gone then
    for end in ends:
        os.close(end)
    assert [[path.name for path in folder.iterdir()] for folder in folders] == [["first.pb"], []]
    if how != "killed":
        assert (child.returncode, err.strip()) == (130, "error: interrupted")
        told = [each["source"] for each in json.loads(out)] if "JSON" in how else out.split()
        assert [Path(word).name for word in told if word.endswith(".pb")] == ["first.pb"]


def test_one_ctrl_c_stops_all_models(models: list[Path], tmp_path: Path) -> None:
    def stop(what: Outcome) -> None:
        heard.append(what)
        raise KeyboardInterrupt

    heard: list[Outcome] = []
    with ThreadPoolExecutor(1) as executor, pytest.raises(KeyboardInterrupt):
        shrink_many([*models, tmp_path / "none"], tmp_path / "out", "optimize", executor=executor, on_done=stop)
    with ThreadPoolExecutor(1) as executor:  # which is not ended by that
        assert executor.submit(len, heard).result() == 1


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
