"""The secret driver on files: its rules, what is on disk after each change, and what libvirt left there."""

from __future__ import annotations

import asyncio
import base64
import logging
import os
import subprocess
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import ParamSpec, TypeVar

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guesthouse.drivers.secret import actions
from guesthouse.drivers.secret.driver import SecretDriver, create
from guesthouse.drivers.secret.lookup import secret_lookup
from guesthouse.drivers.secret.procedures import TABLE
from guesthouse.drivers.secret.registry import StoredSecret
from guesthouse.drivers.secret.store import decode_base64
from guesthouse.errors import Code, LibvirtError
from guesthouse.model.binding import new
from guesthouse.model.domain.secrets import SecretReference
from guesthouse.places import Places

P = ParamSpec("P")
T = TypeVar("T")

ONE, OTHER = "0a81f5b2-8403-7b23-c8d6-21ccc2f80d6f", "0a81f5b2-8403-7b23-c8d6-21ccc2f80d70"
VALUE, NEW_VALUE = b"open sesame, please", b"open sesame, again"
DEATHS = 60
Function = Callable[..., object]  # type: ignore[explicit-any]  # any function of the system


def raw(uuid: str) -> bytes:
    return bytes.fromhex(uuid.replace("-", ""))


def xml(uuid: str = ONE, usage: str = "volume", name: str = "/a", kept: str = "", **attributes: str) -> str:
    words = "".join(f" {key}='{value}'" for key, value in attributes.items())
    tag = {"volume": "volume", "iscsi": "target"}.get(usage, "name")
    inner = f"<usage type='{usage}'><{tag}>{name}</{tag}></usage>" if usage else ""
    return f"<secret{words}><uuid>{uuid}</uuid><description>{kept}</description>{inner}</secret>"


class Direct(SecretDriver):
    """A driver that waits for the disk where it is: after a fork there are no threads."""

    async def in_thread(self, function: Callable[P, T], *arguments: P.args, **keywords: P.kwargs) -> T:
        return function(*arguments, **keywords)


def started(root: Path) -> SecretDriver:
    driver = Direct(Places.under(root), dict(TABLE))
    asyncio.run(driver.start())
    return driver


def files(root: Path) -> list[str]:
    return sorted(path.name for path in (root / "etc/secrets").iterdir())


def run(work: Awaitable[T]) -> T:
    async def wait() -> T:
        return await work

    return asyncio.run(wait())


def refusal(work: Awaitable[object]) -> LibvirtError:
    with pytest.raises(LibvirtError) as caught:
        run(work)
    return caught.value


def value_of(driver: SecretDriver, uuid: str = ONE) -> bytes:
    return actions.value_of(driver, driver.registry.with_uuid(raw(uuid)))


def test_the_life_of_a_secret(tmp_path: Path) -> None:
    driver = started(tmp_path)
    run(actions.define(driver, xml()))
    assert files(tmp_path) == [f"{ONE}.xml"]
    missing = refusal(actions.get_value(driver, raw(ONE)))
    assert (missing.code, missing.detail) == (Code.NO_SECRET, f"secret '{ONE}' does not have a value")
    run(actions.set_value(driver, raw(ONE), VALUE))
    assert files(tmp_path) == [f"{ONE}.sealed", f"{ONE}.xml"]
    for path in (tmp_path / "etc/secrets").iterdir():
        assert path.stat().st_mode & 0o777 == 0o600
        assert VALUE not in path.read_bytes()
        assert base64.b64encode(VALUE) not in path.read_bytes()
    assert run(actions.get_value(started(tmp_path), raw(ONE))) == VALUE
    run(actions.define(driver, xml(kept="changed")))
    assert value_of(started(tmp_path)) == VALUE
    assert started(tmp_path).registry.with_uuid(raw(ONE)).definition.description == "changed"
    run(actions.undefine(driver, raw(ONE)))
    assert files(tmp_path) == []
    assert refusal(actions.undefine(driver, raw(ONE))).code == Code.NO_SECRET
    assert refusal(actions.set_value(driver, raw(ONE), VALUE)).code == Code.NO_SECRET


def test_an_ephemeral_secret_is_never_on_disk(tmp_path: Path) -> None:
    driver = started(tmp_path)
    run(actions.define(driver, xml(ephemeral="yes")))
    run(actions.set_value(driver, raw(ONE), VALUE))
    assert (files(tmp_path), driver.busy) == ([], True)
    assert not driver.vault.path.exists()
    assert value_of(driver) == VALUE
    run(actions.define(driver, xml()))
    assert (files(tmp_path), driver.busy) == ([f"{ONE}.sealed", f"{ONE}.xml"], False)
    assert value_of(started(tmp_path)) == VALUE
    run(actions.define(driver, xml(ephemeral="yes")))
    assert files(tmp_path) == []
    assert value_of(driver) == VALUE
    run(actions.undefine(driver, raw(ONE)))
    assert not driver.busy


def test_which_definitions_go_together(tmp_path: Path) -> None:
    driver = started(tmp_path)
    run(actions.define(driver, xml(private="yes")))
    run(actions.define(driver, xml(OTHER, usage="")))
    for text, detail in (
        (xml(name="/b", private="yes"), f"a secret with UUID {ONE} is already defined for use with /a"),
        (xml(OTHER, name="/c"), f"a secret with UUID {OTHER} is already defined for use with (null)"),
        (xml(private="no"), "cannot change private flag on existing secret"),
        (xml(OTHER.replace("70", "71")), f"a secret with UUID {ONE} already defined for use with /a"),
    ):
        error = refusal(actions.define(driver, text))
        assert (error.code, error.detail) == (Code.INTERNAL_ERROR, detail)
    run(actions.define(driver, xml(OTHER.replace("70", "71"), usage="iscsi")))
    run(actions.define(driver, xml(OTHER.replace("70", "72"), usage="")))
    assert len(driver.registry) == 4
    assert len(started(tmp_path).registry) == 4


def test_a_changed_usage_may_not_be_anothers(tmp_path: Path) -> None:
    driver = started(tmp_path)
    run(actions.define(driver, xml(usage="ceph", name="x")))
    run(actions.define(driver, xml(OTHER, usage="tls", name="x")))
    assert (
        f"a secret with UUID {ONE} already"
        in refusal(actions.define(driver, xml(OTHER, usage="ceph", name="x"))).detail
    )


def test_private_values_are_for_guests_only(tmp_path: Path) -> None:
    driver = started(tmp_path)
    run(actions.define(driver, xml(private="yes")))
    run(actions.set_value(driver, raw(ONE), VALUE))
    error = refusal(actions.get_value(driver, raw(ONE)))
    assert (error.code, error.message) == (Code.INVALID_SECRET, "Invalid secret: secret is private")
    find = secret_lookup(driver)
    assert find("volume", new(SecretReference, uuid=ONE)) == VALUE
    assert find("volume", new(SecretReference, usage="/a")) == VALUE


def test_a_guest_gets_what_is_for_it(tmp_path: Path) -> None:
    driver = started(tmp_path)
    run(actions.define(driver, xml(usage="ceph", name="admin")))
    run(actions.define(driver, xml(OTHER, usage="")))
    for uuid in (ONE, OTHER):
        run(actions.set_value(driver, raw(uuid), VALUE))
    find = secret_lookup(driver)
    assert find("volume", new(SecretReference, uuid=OTHER)) == VALUE  # for nothing in particular
    assert find("ceph", new(SecretReference, usage="admin")) == VALUE
    for usage, reference, code, detail in (
        ("volume", new(SecretReference, uuid=ONE), Code.INVALID_ARG, "is of type 'ceph' not expected 'volume' type"),
        ("volume", new(SecretReference, usage="admin"), Code.NO_SECRET, "no secret with matching usage 'admin'"),
        ("volume", new(SecretReference, uuid=ONE[::-1]), Code.NO_SECRET, "no secret with matching uuid"),
    ):
        with pytest.raises(LibvirtError) as caught:
            find(usage, reference)
        assert caught.value.code == code
        assert detail in caught.value.detail


def left_by_libvirt(root: Path, value: bytes = VALUE) -> Path:
    folder = root / "etc/secrets"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{ONE}.xml").write_text(xml())
    (folder / f"{ONE}.base64").write_bytes(base64.b64encode(value))
    return folder


def test_what_libvirt_left_is_sealed(tmp_path: Path) -> None:
    left_by_libvirt(tmp_path)
    assert value_of(started(tmp_path)) == VALUE
    assert files(tmp_path) == [f"{ONE}.sealed", f"{ONE}.xml"]
    left_by_libvirt(tmp_path, NEW_VALUE)  # libvirt was there again
    assert value_of(started(tmp_path)) == NEW_VALUE
    assert value_of(started(tmp_path)) == NEW_VALUE


def test_what_comes_to_disk_is_taken_up_again(tmp_path: Path) -> None:
    driver = started(tmp_path)
    run(actions.define(driver, xml(OTHER, name="/b", ephemeral="yes")))
    left_by_libvirt(tmp_path)
    asyncio.run(driver.reload())
    assert value_of(driver) == VALUE
    assert len(driver.registry) == 2


def test_leftovers(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Other files do not keep the daemon from starting, and a value that has lost its definition is kept."""
    driver = started(tmp_path)
    run(actions.define(driver, xml()))
    run(actions.set_value(driver, raw(ONE), VALUE))
    folder = tmp_path / "etc/secrets"
    (folder / f"{ONE}.xml").rename(folder / f"{OTHER}.xml")
    (folder / "broken.xml").write_text("<secret")
    (folder / "value.base64").write_bytes(b"!")
    with caplog.at_level(logging.WARNING):
        assert len(started(tmp_path).registry) == 0
    assert f"<uuid> does not match secret file name '{OTHER}.xml'" in caplog.text
    assert "broken" in caplog.text
    assert f"{ONE}.sealed' is the value of a secret that is not defined" in caplog.text
    assert files(tmp_path) == [f"{ONE}.sealed", f"{OTHER}.xml", "broken.xml", "value.base64"]
    (folder / f"{OTHER}.xml").rename(folder / f"{ONE}.xml")
    assert value_of(started(tmp_path)) == VALUE


def test_a_new_secret_has_no_value(tmp_path: Path) -> None:
    folder = left_by_libvirt(tmp_path)
    driver = started(tmp_path)
    (folder / f"{ONE}.xml").unlink()
    driver = started(tmp_path)
    run(actions.define(driver, xml()))
    assert files(tmp_path) == [f"{ONE}.xml"]
    assert driver.registry.with_uuid(raw(ONE)).sealed is None


def test_a_lost_key_loses_no_file(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    driver = started(tmp_path)
    run(actions.define(driver, xml()))
    run(actions.set_value(driver, raw(ONE), VALUE))
    key = driver.vault.path.rename(tmp_path / "elsewhere")
    with caplog.at_level(logging.ERROR):
        lost = started(tmp_path)
    assert f"1 values of secrets cannot be read without the key '{driver.vault.path}'" in caplog.text
    assert "restore the key" in refusal(actions.get_value(lost, raw(ONE))).message
    key.rename(driver.vault.path)
    asyncio.run(lost.reload())
    assert value_of(lost) == VALUE


@given(st.binary(), st.booleans())
def test_base64_is_read_as_glib_reads_it(value: bytes, lines: bool) -> None:
    text = base64.encodebytes(value) if lines else base64.b64encode(value)
    assert decode_base64(text) == value
    assert decode_base64(b"\n ?" + text) == value


@given(st.binary())
def test_reading_base64_never_raises(text: bytes) -> None:
    decode_base64(text)


def die_at(step: int, root: Path, change: Callable[[SecretDriver], Awaitable[object]]) -> bool:
    """Make a change in a process of its own, which dies before its file operation number `step`.

    Returns whether it died.
    """
    child = os.fork()
    if child == 0:
        driver = Direct(Places.under(root), dict(TABLE)) if change is actions.load else started(root)
        left = step
        for name in ("open", "rename", "unlink", "fsync", "write", "mkdir"):
            real = getattr(os, name)

            def dying(*arguments: object, _real: Function = real, **keywords: object) -> object:
                nonlocal left
                left -= 1
                if left < 0:
                    os._exit(9)
                return _real(*arguments, **keywords)

            setattr(os, name, dying)
        run(change(driver))
        os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 9


CHANGES: dict[str, tuple[bool, Callable[[SecretDriver], Awaitable[object]], set[tuple[str | None, bytes | None]]]] = {
    "define": (False, lambda d: actions.define(d, xml()), {(None, None), ("", None)}),
    "redefine": (True, lambda d: actions.define(d, xml(kept="new")), {("old", VALUE), ("new", VALUE)}),
    "set": (True, lambda d: actions.set_value(d, raw(ONE), NEW_VALUE), {("old", VALUE), ("old", NEW_VALUE)}),
    "undefine": (True, lambda d: actions.undefine(d, raw(ONE)), {("old", VALUE), (None, None)}),
    "forget": (True, lambda d: actions.define(d, xml(ephemeral="yes")), {("old", VALUE), (None, None)}),
    "adopt": (True, actions.load, {("", NEW_VALUE)}),
}


@pytest.mark.parametrize("name", CHANGES)
def test_a_death_at_any_step_leaves_the_old_or_the_new(name: str, tmp_path: Path) -> None:
    there, change, allowed = CHANGES[name]
    seen = set()
    for step in range(DEATHS):
        root = tmp_path / str(step)
        if there:
            driver = started(root)
            run(actions.define(driver, xml(kept="old")))
            run(actions.set_value(driver, raw(ONE), VALUE))
        else:
            started(root)
        if name == "adopt":
            left_by_libvirt(root, NEW_VALUE)
        died = die_at(step, root, change)
        found = state(started(root))
        assert found in allowed, (step, found)
        seen.add(found)
        assert not [one for one in files(root) if one.endswith((".tmp", ".base64"))]
        assert f"{ONE}.sealed" in files(root) or found[1] is None
        if not died:
            break
    else:
        pytest.fail(f"more than {DEATHS} steps")
    assert seen == allowed


def state(driver: SecretDriver) -> tuple[str | None, bytes | None]:
    found: list[StoredSecret] = list(driver.registry)
    if not found:
        return None, None
    description = found[0].definition.description or ""
    return description, value_of(driver) if found[0].sealed is not None else None


def test_the_daemons_maker(tmp_path: Path) -> None:
    driver = create(Places.under(tmp_path))
    asyncio.run(driver.start())
    assert (tmp_path / "etc/secrets").stat().st_mode & 0o777 == 0o700


def test_where_the_key_is() -> None:
    assert Places.system().secrets_key == Path("/var/lib/libvirt/secrets/guesthouse.key")
    session = Places.session({"HOME": "/home/x"})
    assert session.secrets_key == Path("/home/x/.config/libvirt/secrets/guesthouse.key")


def test_taking_up_sealed_values_needs_no_cipher(tmp_path: Path) -> None:
    """The library would make every start of the daemon slower."""
    driver = started(tmp_path)
    run(actions.define(driver, xml()))
    run(actions.set_value(driver, raw(ONE), VALUE))
    script = f"""
import asyncio, pathlib, sys
from guesthouse.drivers.secret.driver import create
from guesthouse.places import Places
driver = create(Places.under(pathlib.Path({str(tmp_path)!r})))
asyncio.run(driver.start())
print(len(driver.registry), "cryptography" in sys.modules)
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=30)
    assert done.stdout == "1 False\n"
