"""Ops that older runtimes know, for newer ones."""
