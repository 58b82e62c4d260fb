"""Branches and calls: what runs only when it is asked for, put where it always runs."""
