"""The host's memory and sleep, as the client asks for them.

The functions are libvirt's `virNode…` under shorter names (https://libvirt.org/html/libvirt-libvirt-host.html).
"""

from __future__ import annotations

from guesthouse.client.room import all_of
from guesthouse.rpc.procedures import node

TYPE_CHECKING = False
if TYPE_CHECKING:
    from guesthouse.client.connection import Connection
    from guesthouse.rpc.types import TypedParam

#: `virTypedParameterFlags`: strings are understood.
_STRING_OKAY = 4

#: `virNodeAllocPagesFlags`: so many, rather than so many more.
SET = 1


def parameters(connection: Connection) -> list[TypedParam]:
    """How the kernel looks for equal pages of guests."""

    def ask(room: int) -> node.NodeGetMemoryParametersRet:
        args = node.NodeGetMemoryParametersArgs(room, _STRING_OKAY)
        return connection.ask(node.NodeGetMemoryParametersRet, node.NODE_GET_MEMORY_PARAMETERS, args)

    return all_of(ask)


def set_parameters(connection: Connection, params: list[TypedParam]) -> None:
    """Change that."""
    connection.call(node.NODE_SET_MEMORY_PARAMETERS, node.NodeSetMemoryParametersArgs(params, 0))


def allocate_pages(connection: Connection, size: int, count: int, cell: int, flags: int) -> None:
    """Have the kernel keep `count` more huge pages of `size` KiB in a NUMA cell (-1: anywhere); with `SET` so many."""
    connection.call(node.NODE_ALLOC_PAGES, node.NodeAllocPagesArgs([size], [count], cell, 1, flags))


def suspend(connection: Connection, target: int, seconds: int) -> None:
    """Put the host to sleep in memory (0), on disk (1) or both (2), and wake it after so many seconds."""
    connection.call(node.NODE_SUSPEND_FOR_DURATION, node.NodeSuspendForDurationArgs(target, seconds, 0))
