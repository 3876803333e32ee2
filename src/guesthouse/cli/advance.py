"""What `edit` says before it stores a definition: which of its changes apply now, and which need a restart."""

from __future__ import annotations

from guesthouse.cli.plan_table import render
from guesthouse.errors import LibvirtError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from guesthouse.cli.context import Context
    from guesthouse.client.domain import Domain


def tell_in_advance(context: Context, found: Domain, text: str) -> None:
    """Print the plan of this definition, unless nothing changes or the daemon cannot tell.

    What is wrong with the text is left to whoever stores it.
    """
    try:
        changes = found.plan(text)
    except LibvirtError as error:
        context.debug(2, f"no plan: {error.message}")
        return
    if changes:
        context.remark(render(found.name, changes, quiet=False))
