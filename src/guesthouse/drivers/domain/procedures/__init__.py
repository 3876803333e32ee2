"""The procedures that the domain driver answers: one module a family, and `table` merges them."""
