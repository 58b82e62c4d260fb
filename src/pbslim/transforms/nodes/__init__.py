"""Which nodes there are, in which order and under which names."""
