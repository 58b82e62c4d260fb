"""Models whose variables lie beside the graph, SavedModels and checkpoints, and how they become frozen graphs."""
