"""``pbslim shrink`` for several models."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pbslim.errors import UsageError
from pbslim.report import shrinking, terminal
from pbslim.shrinking.many import Outcome, shrink_many

_SINGLE = ("out", "save_plan", "plan", "reports")


def require_single(sources: Sequence[Path], out_dir: Path | None, options: dict[str, Any]) -> None:
    """Refuse what only makes sense for one model.

    Raises:
        UsageError: it is given for several.
    """
    if out_dir is None:
        raise UsageError(f"{len(sources)} models are given; name a folder for the results with --out-dir")
    named = [name for name in _SINGLE if options.get(name)]
    if named or options["form"] != "graph":
        option = named[0].replace("_", "-").removesuffix("s") if named else "as"
        rest = "shrink each model by itself" if len(sources) > 1 else "leave out --out-dir"
        raise UsageError(f"--{option} is for one model; {rest}")


def shrink_all(
    sources: Sequence[Path],
    out_dir: Path,
    recipe: str | None,
    arguments: dict[str, Any],
    *,
    jobs: int,
    as_json: bool,
) -> int:
    """Shrink all models, show what became of each, and give the exit code: the worst of all.

    Raises:
        KeyboardInterrupt: somebody stopped it; what became of those that were done is shown.
    """
    done: list[Outcome] = []
    with terminal.progress_bar("shrinking") as show:

        def on_done(outcome: Outcome) -> None:
            done.append(outcome)
            show(len(done), len(sources))

        show(0, len(sources))
        stopped = None
        try:
            shrink_many(sources, out_dir, recipe, jobs=jobs, on_done=on_done, **arguments)
        except KeyboardInterrupt as error:
            stopped = error
    outcomes = sorted(done, key=lambda each: list(sources).index(each.source))
    _show(outcomes, as_json=as_json)
    if stopped:
        raise stopped
    failed = [each for each in outcomes if each.result is None]
    return 0 if not failed else 1 if all(each.is_refused for each in failed) else 2


def _show(outcomes: Sequence[Outcome], *, as_json: bool) -> None:
    for each in outcomes:
        if each.result is None:
            named = each.problem if f"'{each.source}'" in each.problem else f"'{each.source}': {each.problem}"
            terminal.say(f"error: {named}")
    if as_json:
        terminal.print_json([_content(each) for each in outcomes])
    elif outcomes and not terminal.is_quiet():
        shrinking.show_all(outcomes)


def _content(outcome: Outcome) -> dict[str, Any]:
    facts = {"source": str(outcome.source), "out": str(outcome.out), "problem": outcome.problem}
    return facts if outcome.result is None else shrinking.content(outcome.result, outcome.out) | facts
