"""Numbers in fewer levels: pure functions over arrays that know no graph."""
