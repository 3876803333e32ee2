"""What several tests need: a real daemon under a directory of its own, stock clients, the tiny guest."""
