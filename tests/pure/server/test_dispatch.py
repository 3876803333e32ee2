from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from guesthouse.drivers.api import Handler, Reply, read, write
from guesthouse.errors import LibvirtError
from guesthouse.places import Places
from guesthouse.rpc.procedure import Procedure
from guesthouse.rpc.procedures.auth import AUTH_LIST
from guesthouse.rpc.procedures.connect import CONNECT_GET_HOSTNAME, CONNECT_GET_URI
from guesthouse.rpc.procedures.domain import DOMAIN_CREATE, DOMAIN_GET_STATE, DOMAIN_SHUTDOWN
from guesthouse.rpc.programs import REMOTE
from guesthouse.server.builtin import EARLY, FEATURES, Builtin
from guesthouse.server.dispatch import OVERTAKING, Dispatch, DuplicateProcedureError, api_name


def plain(driver: object, caller: object, args: object) -> Reply:
    return None


async def slow(driver: object, caller: object, args: object) -> Reply:
    return None


class Sample:
    def __init__(self, table: dict[Procedure, Handler[object]]) -> None:
        self.table = table


def test_tables_by_what_the_connection_may() -> None:
    dispatch = Dispatch([Sample({AUTH_LIST: read(plain), CONNECT_GET_URI: read(plain)})], frozenset({AUTH_LIST}), 5)
    assert set(dispatch.unopened) == {AUTH_LIST}
    assert set(dispatch.readonly) == set(dispatch.readwrite) == {AUTH_LIST, CONNECT_GET_URI}


def test_two_drivers_may_not_answer_the_same() -> None:
    rows: dict[Procedure, Handler[object]] = {CONNECT_GET_URI: read(plain)}
    with pytest.raises(DuplicateProcedureError, match="CONNECT_GET_URI"):
        Dispatch([Sample(rows), Sample(rows)], frozenset(), 5)


def test_readonly_is_refused_in_libvirts_words() -> None:
    dispatch = Dispatch([Sample({DOMAIN_CREATE: write(slow)})], frozenset(), 5)
    with pytest.raises(LibvirtError) as caught:
        dispatch.readonly[DOMAIN_CREATE].run(None, None)  # type: ignore[arg-type]
    assert caught.value.code == 29
    assert caught.value.message == "operation forbidden: read only access prevents virDomainCreate"


def test_allowances() -> None:
    rows: dict[Procedure, Handler[object]] = {
        DOMAIN_SHUTDOWN: read(slow),
        DOMAIN_GET_STATE: read(slow),
        CONNECT_GET_HOSTNAME: read(plain),
    }
    routes = Dispatch([Sample(rows)], frozenset(), 5).readwrite
    assert routes[DOMAIN_SHUTDOWN].allowance == 5
    assert routes[DOMAIN_GET_STATE].allowance == 10
    assert routes[CONNECT_GET_HOSTNAME].allowance == 10
    assert [routes[each].waits for each in (DOMAIN_SHUTDOWN, CONNECT_GET_HOSTNAME)] == [True, False]


def test_missing_rows() -> None:
    dispatch = Dispatch([], frozenset(), 5)
    early, late = dispatch.missing(DOMAIN_CREATE, False), dispatch.missing(DOMAIN_CREATE, True)
    assert (early.code, early.domain, early.message) == (1, 7, "internal error: connection not open")
    assert late.code == 3
    assert late.message == "this function is not supported by the connection driver: virDomainCreate"


@pytest.mark.parametrize(
    ("procedure", "api"),
    [
        ("DOMAIN_DEFINE_XML", "virDomainDefineXML"),
        ("DOMAIN_LOOKUP_BY_UUID", "virDomainLookupByUUID"),
        ("CONNECT_GET_URI", "virConnectGetURI"),
        ("DOMAIN_FSFREEZE", "virDomainFSFreeze"),
        ("NWFILTER_DEFINE_XML", "virNWFilterDefineXML"),
        ("DOMAIN_PM_WAKEUP", "virDomainPMWakeup"),
        ("CONNECT_COMPARE_CPU", "virConnectCompareCPU"),
        ("DOMAIN_ADD_IOTHREAD", "virDomainAddIOThread"),
        ("DOMAIN_CREATE_WITH_FLAGS", "virDomainCreateWithFlags"),
    ],
)
def test_api_names(procedure: str, api: str) -> None:
    assert api_name(procedure) == api


def test_overtaking_names_exist() -> None:
    assert {procedure.name for procedure in REMOTE.procedures()} >= OVERTAKING


@pytest.mark.parametrize(
    ("mode", "uid", "uri", "code"),
    [
        ("system", 0, "qemu:///system", 0),
        ("system", 0, "qemu:///session", 0),
        ("system", 0, "network:///system", 0),
        ("system", 0, "storage:///system", 0),
        ("system", 0, "network:///session", 1),
        ("system", 0, "qemu:///system?unknown=1", 0),
        ("system", 0, "qemu:///foo", 1),
        ("system", 0, "qemu://system", 1),
        ("system", 0, "qemu+unix:///system", 5),
        ("system", 0, "QEMU:///system", 5),
        ("system", 0, "xen:///system", 5),
        ("system", 0, "test:///default", 5),
        ("system", 0, "qemu://host/system", 5),
        ("system", 0, "nonsense", 5),
        ("system", 0, "\x00\udcff", 5),
        ("session", 1000, "qemu:///session", 0),
        ("session", 1000, "qemu:///system", 1),
        ("root", 1000, "qemu:///system", 0),
        ("root", 0, "qemu:///session", 0),
    ],
)
def test_uris(mode: str, uid: int, uri: str, code: int) -> None:
    builtin = Builtin(replace(Places.under(Path("/x")), mode=mode), uid)
    if code:
        with pytest.raises(LibvirtError) as caught:
            builtin.check_uri(uri)
        assert caught.value.code == code
    else:
        builtin.check_uri(uri)


def test_default_uris() -> None:
    assert Builtin(Places.under(Path("/x")), 0).default_uri == "qemu:///system"
    assert Builtin(Places.under(Path("/x")), 1000).default_uri == "qemu:///session"
    assert Builtin(Places.system(), 0).default_uri == "qemu:///system"
    assert Builtin(Places.session({"HOME": "/h"}), 1000).default_uri == "qemu:///session"


def test_migration_is_not_announced() -> None:
    assert not FEATURES & {1, 3, 4, 5, 6, 7, 12, 13}
    assert set(Builtin(Places.system()).table) >= EARLY
