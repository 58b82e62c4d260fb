"""Repairs of nodes that do not fit their ops."""
