"""Orders of axes: what only changes them, and how few nodes of that kind do."""
