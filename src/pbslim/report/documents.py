"""A report as a page, as Markdown for a pull request, and as JSON; made from its facts alone."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from pbslim.errors import DecodeError, UsageError, one_line, printable
from pbslim.report.facts import KIND, VERSION
from pbslim.report.terminal import ratio_text, size_text
from pbslim.wire import outputs

Facts = Mapping[str, Any]
_LAYERS_DRAWN = 400


def page(facts: Facts) -> str:
    """One HTML page without scripts that needs nothing else."""
    from pbslim.report import charts

    with _complete():
        losing = [each for each in facts["layers"] if each["own_snr"] is not None][:_LAYERS_DRAWN]
        spreads = [charts.spread(each, number) for number, each in enumerate(facts["spreads"])]
        layers = charts.layers(losing) if losing else ""
    return _rendered("report.html.j2", facts, {"spreads": spreads, "layers": layers})


def markdown(facts: Facts) -> str:
    """A table for a pull request, with details to unfold."""
    return _rendered("report.md.j2", facts, {})


def as_json(facts: Facts) -> str:
    """The facts themselves."""
    return json.dumps(facts, indent=1) + "\n"


FORMATS: dict[str, Callable[[Facts], str]] = {".html": page, ".htm": page, ".md": markdown, ".json": as_json}
"""How the name of the file ends → what makes its content."""


def require_writable(path: Path) -> None:
    """Make sure, before any work, that the name of a report says what it is to be, and that it can be written.

    Raises:
        UsageError: it says nothing, or its folder is not there.
        PbslimError: it cannot be written.
    """
    if path.suffix.lower() not in FORMATS:
        raise UsageError(f"'{path}' must end in one of {', '.join(FORMATS)}, which says what the report is to be")
    if not path.parent.is_dir():
        raise UsageError(f"cannot write '{path}': its folder is not there")
    outputs.require_writable(path)


def write(facts: Facts, path: Path) -> None:
    """Write a report in the form that the name of the file says.

    Raises:
        UsageError: it says none.
        PbslimError: the file cannot be written.
    """
    require_writable(path)
    text = FORMATS[path.suffix.lower()](facts)
    with outputs.replacing(path) as out:
        out.write(text.encode())


def read(path: Path) -> dict[str, Any]:
    """The facts in a report that was written as JSON.

    Raises:
        DecodeError: the file cannot be read, is none, or of a later version.
    """
    try:
        facts = json.loads(path.read_text("utf-8"))
        kind, version = facts["kind"], facts["version"]
    except OSError as error:
        raise DecodeError(f"cannot read '{path}': {error.strerror or error}") from None
    except (ValueError, KeyError, TypeError, RecursionError):
        kind, version, facts = None, None, {}
    if kind != KIND or not isinstance(version, int):
        raise DecodeError(f"'{path}' is not a report; write one with: pbslim shrink MODEL --report FILE.json")
    if version > VERSION:
        raise DecodeError(f"'{path}' is a report of version {version}, this release reads {VERSION}")
    return dict(facts)


def _rendered(template: str, facts: Facts, drawn: Mapping[str, Any]) -> str:
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("pbslim.report"),
        autoescape=template.endswith(".html.j2"),
        undefined=StrictUndefined,
        finalize=_shown,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters.update(
        size=size_text, ratio=ratio_text, share=_share, db=_db, code=_code, line=one_line, name=_name
    )
    with _complete():
        return environment.get_template(template).render(facts, drawn=drawn)


@contextmanager
def _complete() -> Iterator[None]:
    """One line about facts that are not as this release writes them."""
    from jinja2 import TemplateError

    try:
        yield
    except (TemplateError, LookupError, TypeError, ValueError, AttributeError, ArithmeticError) as error:
        raise DecodeError(f"the facts of this report are not complete: {one_line(str(error))}") from None


def _shown(value: Any) -> Any:
    """What cannot be seen is escaped in all that comes out of a file; None is nothing."""
    if value is None:
        return ""
    return value if hasattr(value, "__html__") or not isinstance(value, str) else printable(value, keep="\n")


def _share(value: float) -> str:
    return f"{value:.1%}"


def _db(value: float | None) -> str:
    return "equal" if value is None else f"{value:.1f} dB"


def _name(text: str) -> Any:
    """A name or a shape that may be broken where its parts meet."""
    from markupsafe import Markup, escape

    safe = str(escape(printable(text)))  # as plain text, for what is joined to Markup is escaped once more
    return Markup(re.sub("([/_×])", r"\1<wbr>", safe))  # noqa: S704 - it is escaped


def _code(text: object) -> str:
    """Text as a code span of Markdown, which may stand in a table."""
    plain = one_line(str(text)).replace("|", "\\|")
    ticks = "``" if "`" in plain else "`"
    blank = " " if "`" in plain else ""
    return f"{ticks}{blank}{plain}{blank}{ticks}"
