"""Weights that are stored in few bits, and the stock ops that turn them into floats when the graph runs."""
