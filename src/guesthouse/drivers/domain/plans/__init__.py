"""Changes told in advance."""
