"""Patterns that read like the graph, and the engine that applies them."""

from pbslim.rewrite.engine import Report, Skip, Skipped, near_misses, rewrite, rewrite_all
from pbslim.rewrite.pattern import Match, Pattern, anything, const, op

__all__ = [
    "Match",
    "Pattern",
    "Report",
    "Skip",
    "Skipped",
    "anything",
    "const",
    "near_misses",
    "op",
    "rewrite",
    "rewrite_all",
]
