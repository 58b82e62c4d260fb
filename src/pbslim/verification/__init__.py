"""Hold a transformed graph against the original by running both."""

from pbslim.verification.compare import Comparison, Verification, compare_arrays, compare_files
from pbslim.verification.feeds import generate_feeds

__all__ = ["Comparison", "Verification", "compare_arrays", "compare_files", "generate_feeds"]
