"""What a read-only client must not do: what libvirt's API refuses it (`virCheckReadOnlyGoto`)."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import cast

import pytest

from guesthouse.drivers.api import Caller, Handler
from guesthouse.drivers.connect import procedures as connect
from guesthouse.drivers.domain.procedures import agent, cpu, state
from guesthouse.drivers.domain.procedures import input as procedures_input
from guesthouse.errors import ReadOnlyError
from guesthouse.rpc.procedure import Procedure
from guesthouse.rpc.procedures import domain, domain_agent, domain_cpu, domain_devices, node
from guesthouse.rpc.types import NonnullDomain
from guesthouse.rpc.xdr import Struct

GUEST = NonnullDomain("web", bytes(16), -1)


class Reader:
    """A client on the read-only socket."""

    readonly = True


@pytest.mark.parametrize(
    ("table", "procedure"),
    [
        (procedures_input.TABLE, domain_devices.DOMAIN_SCREENSHOT),
        (agent.TABLE, domain_agent.DOMAIN_GET_HOSTNAME),
        (agent.TABLE, domain_agent.DOMAIN_GET_TIME),
        (agent.TABLE, domain_agent.DOMAIN_GET_GUEST_INFO),
        (connect.TABLE, node.NODE_GET_SEV_INFO),
    ],
)
def test_the_whole_call(table: dict[Procedure, Handler[object]], procedure: Procedure) -> None:
    assert table[procedure].write


@pytest.mark.parametrize(
    ("table", "procedure", "args", "text"),
    [
        # A migratable definition tells all passwords, as a secure one does.
        (state.TABLE, domain.DOMAIN_GET_XML_DESC, domain.DomainGetXmlDescArgs(GUEST, 1), "secure flag"),
        (state.TABLE, domain.DOMAIN_GET_XML_DESC, domain.DomainGetXmlDescArgs(GUEST, 8), "secure flag"),
        (
            cpu.TABLE,
            domain_cpu.DOMAIN_GET_VCPUS_FLAGS,
            domain_cpu.DomainGetVcpusFlagsArgs(GUEST, 8),
            "virDomainGetVcpusFlags",
        ),
    ],
)
def test_some_flags(table: dict[Procedure, Handler[object]], procedure: Procedure, args: Struct, text: str) -> None:
    with pytest.raises(ReadOnlyError, match=text):
        table[procedure].function(None, cast(Caller, Reader()), args)


def test_what_an_agent_is_asked() -> None:
    ask = agent.TABLE[domain_agent.DOMAIN_INTERFACE_ADDRESSES].function

    async def asked() -> None:
        await cast(Awaitable[object], ask(None, Reader(), domain_agent.DomainInterfaceAddressesArgs(GUEST, 1, 0)))

    with pytest.raises(ReadOnlyError, match="virDomainInterfaceAddresses"):
        asyncio.run(asked())
