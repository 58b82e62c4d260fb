"""What several transforms need, or one alone that would hide its idea in it."""
