"""Results for people and for JSON."""
