"""What of the documents of pools this driver can honour; the rest is refused by name."""

from __future__ import annotations

from guesthouse.model.pool import Pool, parse_pool


def supported_pool(xml: str, *, validate: bool = False) -> Pool:
    """The pool that a document defines. Raises what `parse_pool` raises."""
    return parse_pool(xml, validate=validate)
