"""pbslim."""
