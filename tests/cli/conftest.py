"""These tests run graphs in their own process, see `tests.here`."""

from tests.here import apart as apart
from tests.here import in_this_process as in_this_process
