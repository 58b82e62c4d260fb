"""Recipes from file to file, with what they brought."""
