"""Which part an error is ascribed to: what the shared classes of a document say belongs to the document's own kind."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from guesthouse.errors import LibvirtError, Origin


@contextmanager
def noticed_by(origin: int) -> Iterator[None]:
    """Ascribe errors of the format, which else name guests as their origin, to the part `origin`."""
    try:
        yield
    except LibvirtError as error:
        if error.domain == Origin.DOMAIN:
            error.domain = origin
        raise
