"""Writing a guest to a file for later study."""
