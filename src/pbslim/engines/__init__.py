"""Adapters that run a graph for real."""
