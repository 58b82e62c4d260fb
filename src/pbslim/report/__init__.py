"""Facts about files and graphs, for people and for JSON."""
