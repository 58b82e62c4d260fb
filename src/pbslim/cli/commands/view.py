"""``pbslim view``."""

from __future__ import annotations

import sys
from contextlib import redirect_stdout
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import click

from pbslim.cli.command import Command
from pbslim.cli.options import FILE, json_option
from pbslim.errors import UsageError
from pbslim.report import terminal
from pbslim.wire import load, save


@click.command("view", cls=Command, examples=["pbslim view model.pb", "pbslim view model.pb --port 8080 --no-browser"])
@click.argument("source", metavar="MODEL", type=FILE)
@click.option("--port", type=click.IntRange(1, 65535), default=8081, show_default=True, help="Port on this machine.")
@click.option("--browser/--no-browser", default=True, help="Open it in the browser (default).")
@json_option
def command(source: Path, port: int, browser: bool, as_json: bool) -> int:
    """Look at a model in Netron, until Ctrl-C; what Netron cannot read is turned into a plain graph first.

    Netron is a package of its own: pip install 'pbslim[view]'. 'pbslim graph_to_dot' draws a graph without it.
    """
    graph = load(source)
    netron = _netron()
    with TemporaryDirectory() as folder:
        file = Path(folder) / f"{source.stem or 'model'}.pb"
        save(graph, file)
        with redirect_stdout(sys.stderr):  # where it says the same in its own words
            host, port = netron.start(str(file), port, browse=browser)
        if as_json:
            terminal.print_json({"url": f"http://{host}:{port}", "nodes": len(graph)})
        else:
            terminal.tell(f"{source} is shown at http://{host}:{port}; Ctrl-C ends it")
        netron.wait()
    return 0


def _netron() -> Any:
    try:
        import netron
    except ImportError:
        raise UsageError(
            "Netron is not installed; run: pip install 'pbslim[view]', or draw the graph with pbslim graph_to_dot"
        ) from None
    return netron
