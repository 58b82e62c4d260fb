"""Many models at once, here or wherever an executor runs what it is given."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor, Future, as_completed
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from pbslim.errors import CheckError, PbslimError, UsageError
from pbslim.shrinking.options import CompressionOptions
from pbslim.shrinking.proof import Proof
from pbslim.shrinking.shrink import ShrinkResult, shrink
from pbslim.wire.outputs import require_apart


@dataclass(frozen=True)
class Outcome:
    """What became of one model.

    Attributes:
        result: None where there is none.
        problem: why not; empty where there is one.
        is_refused: whether the reason is that nothing was good enough.
    """

    source: Path
    out: Path
    result: ShrinkResult | None = None
    problem: str = ""
    is_refused: bool = False


def shrink_many(
    sources: Sequence[str | Path],
    out_dir: str | Path,
    recipe: str | None = None,
    *,
    jobs: int = 1,
    executor: Executor | None = None,
    on_done: Callable[[Outcome], None] | None = None,
    **arguments: Any,
) -> list[Outcome]:
    """Shrink each of `sources` into a file of the same name in `out_dir`.

    One that fails does not stop the others.

    Args:
        jobs: how many processes of this machine work at the same time.
        executor: what runs the models instead, any `concurrent.futures.Executor`, such as that of a Dask or Ray
            cluster. Its workers need pbslim, and the same files under the same names.
        on_done: called with each model when it is done.
        arguments: those of `pbslim.shrink`, for all models; functions among them are not called in other processes.

    Returns:
        In the order of `sources`.

    Raises:
        UsageError: two models would be written to the same file, or into one of them.
        KeyboardInterrupt: somebody stopped it; models that were done before stay, and `on_done` has heard of them.
    """
    folder = Path(out_dir)
    tasks = [(Path(source), folder / _name(Path(source))) for source in sources]
    taken: dict[Path, Path] = {}
    for source, out in tasks:
        if out in taken:
            raise UsageError(
                f"'{taken[out]}' and '{source}' would both become '{out}': --out-dir needs models of different names"
            )
        taken[out] = source
    require_apart(folder, *map(Path, sources))
    folder.mkdir(parents=True, exist_ok=True)
    found: dict[Path, Outcome] = {}
    tell = on_done or _unheard
    with _running(executor, min(jobs, len(tasks))) as running:
        if running is None:
            for source, out in tasks:
                found[out] = _one(source, out, recipe, arguments)
                tell(found[out])
                if (result := found[out].result) and result.interrupted:
                    raise KeyboardInterrupt
        else:
            apart = _without_listeners(arguments)
            futures = [running.submit(_one, source, out, recipe, apart) for source, out in tasks]
            for done in _completed(futures, cancel=running is executor):
                found[done.out] = done
                tell(done)
    return [found[out] for _, out in tasks]


def _unheard(_: Outcome) -> None:
    """Nobody listens."""


def _completed(futures: Sequence[Future[Outcome]], *, cancel: bool) -> Iterator[Outcome]:
    """What is done, as it comes; `cancel` what has not begun when somebody stops it."""
    try:
        yield from (future.result() for future in as_completed(futures))
    except BaseException:
        for future in futures if cancel else ():
            future.cancel()
        raise


def _name(source: Path) -> str:
    """What the result of a model is called: a folder becomes a file."""
    return source.name if source.suffix else f"{source.name}.pb"


@contextmanager
def _running(executor: Executor | None, jobs: int) -> Iterator[Executor | None]:
    """What runs the models; None for this process itself."""
    if executor is not None or jobs <= 1:
        yield executor
        return
    from pbslim.shrinking.workers import workers  # which brings sockets and more, that one model has no need for

    with workers(jobs) as pool:
        yield pool


def _without_listeners(arguments: dict[str, Any]) -> dict[str, Any]:
    """Arguments that another process can be given."""
    plain = {name: value for name, value in arguments.items() if not callable(value)}
    options, proof = plain.get("options"), plain.get("proof")
    if isinstance(options, CompressionOptions):
        plain["options"] = options.unheard()
    if isinstance(proof, Proof):
        plain["proof"] = replace(proof, on_progress=None)
    return plain


def _one(source: Path, out: Path, recipe: str | None, arguments: dict[str, Any]) -> Outcome:
    try:
        return Outcome(source, out, shrink(source, out, recipe, **arguments))
    except PbslimError as error:
        return Outcome(source, out, problem=str(error), is_refused=isinstance(error, CheckError))
    except OSError as error:
        return Outcome(source, out, problem=f"cannot use '{error.filename}': {error.strerror or error}")
    except MemoryError:
        return Outcome(source, out, problem="not enough memory for this file")
