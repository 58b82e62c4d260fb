"""The other command lines of old: each module holds one tool as a function, under its own name."""
