"""The steps of quantize_nodes, one a module, in the order in which it takes them."""
