"""The life of a guest: how it starts, is suspended, ends, and is taken up by the next daemon."""
