"""How a batch norm, or any scale and offset per channel, gets into the weights before it."""
