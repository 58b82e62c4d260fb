"""Compare a transformed graph with the original by running both."""

from pbslim.verification.compare import compare_arrays, compare_files
from pbslim.verification.feeds import generate_feeds
from pbslim.verification.results import Comparison, Verification
from pbslim.verification.verdict import Verdict

__all__ = ["Comparison", "Verdict", "Verification", "compare_arrays", "compare_files", "generate_feeds"]
