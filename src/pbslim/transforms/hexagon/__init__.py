"""What the reference does for the Hexagon processor; not supported, with an error that says why."""
