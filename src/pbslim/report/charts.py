"""Charts as inline SVG in the colors of the page around them, light or dark; each has a table or a text beside it."""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping, Sequence
from typing import Any

import pygal
from markupsafe import Markup, escape
from pygal.style import Style

from pbslim.errors import printable

# It adds a finder of plugins from which Python before 3.12 warns at every other import.
sys.meta_path[:] = [each for each in sys.meta_path if type(each).__module__ != "pygal"]

_ADDED = re.compile("<script.*?</script>|<!--.*?-->", re.DOTALL)
_STYLE = Style(
    background="transparent",
    plot_background="transparent",
    foreground="var(--muted)",
    foreground_strong="var(--text)",
    foreground_subtle="var(--line)",
    colors=("var(--before)", "var(--after)"),
    font_family="inherit",
    label_font_size=13,
    major_label_font_size=13,
    legend_font_size=14,
    opacity=".5",
    stroke_opacity="1",
    guide_stroke_color="var(--line)",
    major_guide_stroke_color="var(--line)",
    transition="0s",
)
_COMMON = {
    "style": _STYLE,
    "js": (),  # the page has no scripts
    "disable_xml_declaration": True,
    "width": 420,
    "legend_at_bottom": True,
    "legend_box_size": 12,
    "margin": 8,
    "margin_right": 28,  # where the last label ends
}


def spread(found: Mapping[str, Any], number: int) -> Markup:
    """The values of a weight before and after, as two histograms over each other.

    Args:
        number: of this weight on the page.
    """
    low, width = found["low"], (found["high"] - found["low"]) / len(found["before"])
    chart = pygal.XY(
        **_COMMON,
        height=230,
        fill=True,
        show_dots=False,
        stroke_style={"width": 1.5},
        range=(0, max(*found["before"], *found["after"], 1)),
        x_labels=[low, 0 if low < 0 < found["high"] else (low + found["high"]) / 2, found["high"]],
        x_value_formatter=lambda value: f"{value:.3g}",
        value_formatter=lambda value: f"{value:,.0f}",
        y_labels_major_count=3,
        show_minor_y_labels=False,
    )
    for side in ("before", "after"):
        chart.add(side, [(low + (i + 0.5) * width, count) for i, count in enumerate(found[side])])
    return _svg(chart, f"values-{number}", f"Histogram of the values of {found['name']} before and after")


def layers(found: Sequence[Mapping[str, Any]]) -> Markup:
    """Signal to noise along layers that make noise of their own."""
    chart = pygal.Line(
        **{**_COMMON, "width": 480},
        height=260,
        dots_size=2.5,
        stroke_style={"width": 1.5},
        show_x_labels=False,
        value_formatter=lambda value: f"{value:.0f} dB",
        y_labels_major_count=6,
        show_minor_y_labels=False,
    )
    chart.add("at the layer", [each["snr"] for each in found])
    chart.add("by the layer itself", [each["own_snr"] for each in found])
    return _svg(chart, "layers", f"Signal to noise at {len(found)} layers, from the input to the output")


def _svg(chart: Any, name: str, label: str) -> Markup:
    """A chart with its label, and without the scripts and remarks that pygal adds.

    Args:
        name: what its id ends in, which pygal would draw by lot.
    """
    chart.uuid = name
    drawn = _ADDED.sub("", chart.render(is_unicode=True))
    return Markup(drawn.replace("<svg ", f'<svg role="img" aria-label="{escape(printable(label))}" ', 1))  # noqa: S704 - by pygal
