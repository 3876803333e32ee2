"""The protocol's procedures: one module a family, each with its structs and, at the end, its table."""
