"""The command lines of TensorFlow's tools: each module holds one tool as a function, under its own name."""
