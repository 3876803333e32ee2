"""A guest's processors: how many, which of them are there, and where they run."""
