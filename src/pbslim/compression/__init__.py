"""Decide how each weight is stored, so that the file is as small as it can be while it still decides the same."""
