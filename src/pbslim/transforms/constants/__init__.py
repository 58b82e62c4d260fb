"""What depends on constants alone."""
