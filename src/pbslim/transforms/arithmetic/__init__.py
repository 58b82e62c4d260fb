"""Sums and products of activations."""
