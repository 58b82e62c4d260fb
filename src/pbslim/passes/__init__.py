"""The registry of transforms, their typed parameters, the `--transforms` language, and the pipeline."""
