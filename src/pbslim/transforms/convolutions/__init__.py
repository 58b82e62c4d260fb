"""What is merged into a convolution."""
