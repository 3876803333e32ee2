"""Connection URIs: where they lead, and what the daemon is told."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guesthouse.client.settings import parse, resolve_alias
from guesthouse.client.uri import ConnectionUri, Surroundings, endpoint, percent_decoded, percent_encoded
from guesthouse.errors import LibvirtError

ROOT = Surroundings(0, "/run/user/0/libvirt", "/etc/libvirt/libvirt.conf")
USER = Surroundings(1000, "/run/user/1000/libvirt", "/home/u/.config/libvirt/libvirt.conf")


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("qemu:///system", "qemu:///system"),
        ("qemu+unix:///system", "qemu:///system"),
        ("qemu+unix:///system?socket=/tmp/s", "qemu:///system"),
        ("qemu:///system?mode=legacy&command=x", "qemu:///system"),
        ("qemu:///system?foo=bar&socket=/tmp/s&a=b%20c", "qemu:///system?foo=bar&a=b%20c"),
        ("qemu:///system?name=test:///default", "test:///default"),
        ("remote+unix:///", ""),
        ("remote:///?socket=/x", ""),
        ("qemu+UNIX:///system", "qemu:///system"),
        ("test:///default", "test:///default"),
        ("qemu+tls://host.example:123/system?pkipath=/p", "qemu:///system"),
    ],
)
def test_what_the_daemon_is_told(text: str, name: str) -> None:
    assert ConnectionUri(text).open_name == name


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("system", "no connection driver available for URI 'system' does not include a driver name"),
        ("qemu://system", "internal error: invalid URI qemu://system (maybe you want qemu:///system)"),
        ("qemu+foo:///system", "transport in URL not recognised (should be tls|unix|ssh|ext|tcp|libssh2|libssh)"),
        ("qemu+unix://host/system", "using unix socket and remote server 'host' is not supported."),
        ("qemu://host:port/system", "Unable to parse URI"),
    ],
)
def test_uris_that_are_none(text: str, message: str) -> None:
    with pytest.raises(LibvirtError) as caught:
        ConnectionUri(text)
    assert message in caught.value.message


def test_the_parts_of_a_uri() -> None:
    uri = ConnectionUri("qemu+ssh://joe%40x@[fe80::1]:22/system?no_tty=1")
    assert (uri.driver, uri.transport, uri.user, uri.host, uri.port) == ("qemu", "ssh", "joe@x", "fe80::1", 22)
    assert uri.parameter("NO_TTY".lower()) == "1"
    assert ConnectionUri("qemu://host/system").transport == "tls"
    assert ConnectionUri("qemu:///system").transport == "unix"


#: Sockets that are there, URI, read-only: the socket that is taken (libvirt's rules, measured on libvirt 11.3).
SOCKETS = [
    ([], "", False, "libvirt-sock"),
    ([], "qemu:///system", False, "libvirt-sock"),
    (["libvirt-sock"], "qemu:///system", False, "libvirt-sock"),
    (["libvirt-sock"], "network:///system", False, "libvirt-sock"),
    (["libvirt-sock"], "qemu:///system?mode=direct", False, "virtqemud-sock"),
    (["libvirt-sock", "virtqemud-sock"], "", False, "libvirt-sock"),
    (["libvirt-sock", "virtqemud-sock"], "qemu:///system", False, "virtqemud-sock"),
    (["libvirt-sock", "virtqemud-sock"], "qemu+unix:///system", False, "virtqemud-sock"),
    (["libvirt-sock", "virtqemud-sock"], "qemu:///session", False, "virtqemud-sock"),
    (["libvirt-sock-ro", "virtqemud-sock-ro"], "qemu:///system", True, "virtqemud-sock-ro"),
    (["libvirt-sock", "virtqemud-sock"], "qemu:///system?mode=legacy", False, "libvirt-sock"),
    (["libvirt-sock", "virtqemud-sock"], "network:///system", False, "libvirt-sock"),
    (["virtqemud-sock"], "storage:///system", False, "libvirt-sock"),
    (["virtqemud-sock"], "qemu:///system", False, "virtqemud-sock"),
]


@pytest.mark.parametrize(("present", "text", "readonly", "chosen"), SOCKETS)
def test_the_choice_of_the_socket(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, present: list[str], text: str, readonly: bool, chosen: str
) -> None:
    monkeypatch.setattr("guesthouse.client.uri.SYSTEM_SOCKETS", str(tmp_path))
    for name in present:
        (tmp_path / name).touch()
    found = endpoint(ConnectionUri(text) if text else None, ROOT, readonly=readonly)
    assert found.path == f"{tmp_path}/{chosen}"
    assert not found.spawn


def test_a_user_has_a_daemon_of_their_own() -> None:
    for uri in (None, ConnectionUri("qemu:///session")):
        found = endpoint(uri, USER, readonly=False)
        assert (found.path, found.spawn) == ("/run/user/1000/libvirt/libvirt-sock", True)
    assert not endpoint(ConnectionUri("qemu:///system"), USER, readonly=False).spawn
    shy = Surroundings(1000, "/r", "/c", autostart=False)
    assert not endpoint(ConnectionUri("qemu:///session"), shy, readonly=False).spawn


def test_a_given_socket_wins() -> None:
    found = endpoint(ConnectionUri("qemu:///session?socket=/tmp/s"), USER, readonly=False)
    assert (found.path, found.spawn) == ("/tmp/s", False)


def test_modes_that_are_none() -> None:
    with pytest.raises(LibvirtError, match="Unknown remote mode 'zzz'"):
        endpoint(ConnectionUri("qemu:///system?mode=zzz"), ROOT, readonly=False)
    assert endpoint(ConnectionUri("qemu:///system"), ROOT, readonly=False, mode="direct").path.endswith(
        "virtqemud-sock"
    )


def test_surroundings_follow_the_environment() -> None:
    found = Surroundings.of({"HOME": "/h", "XDG_RUNTIME_DIR": "/run/u", "LIBVIRT_AUTOSTART": "0"}, 1000)
    assert (found.runtime, found.config, found.autostart) == (
        "/run/u/libvirt",
        "/h/.config/libvirt/libvirt.conf",
        False,
    )
    found = Surroundings.of({"HOME": "/h", "LIBVIRT_DEFAULT_URI": "qemu:///x"}, 1000)
    assert (found.runtime, found.default, found.autostart) == ("/h/.cache/libvirt", "qemu:///x", True)
    assert Surroundings.of({}, 0).config == "/etc/libvirt/libvirt.conf"


CONF = """
# a comment
uri_aliases = [
  "hail=qemu+ssh://root@hail.example.com/system",   # one
  "sleet=qemu:///system?a=b",
]
uri_default = "qemu:///session"
number = 5
"""


def test_the_settings_of_the_client() -> None:
    settings = parse(CONF, "libvirt.conf")
    assert settings["uri_default"] == "qemu:///session"
    assert settings["number"] == "5"
    assert resolve_alias(settings, "sleet") == "qemu:///system?a=b"
    assert resolve_alias(settings, "other") == "other"
    assert parse("# only\n\n", "x") == {}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("uri_default", "x:1: expecting an assignment"),
        ("a = ", "x:1: expecting a value"),
        ('a = "b', "x:1: unterminated string"),
        ("\n= 5", "x:2: expecting a name"),
        ("a = [ 'b'", "x:1: list is not closed with ]"),
    ],
)
def test_settings_that_are_none(text: str, message: str) -> None:
    with pytest.raises(LibvirtError) as caught:
        parse(text, "x")
    assert caught.value.message == f"configuration file syntax error: {message}"


@pytest.mark.parametrize("entry", ["plain", "a b=qemu:///system"])
def test_aliases_that_are_none(entry: str) -> None:
    with pytest.raises(LibvirtError, match="Malformed 'uri_aliases' config entry"):
        resolve_alias({"uri_aliases": [entry]}, "x")


@given(st.text(st.characters(blacklist_categories=["Cs"])))
def test_percent_signs_are_read_back(text: str) -> None:
    assert percent_decoded(percent_encoded(text)) == text


@given(st.text())
def test_no_uri_makes_the_parser_stumble(text: str) -> None:
    with suppress(LibvirtError):
        ConnectionUri(text)


@given(st.text())
def test_no_settings_make_the_parser_stumble(text: str) -> None:
    with suppress(LibvirtError):
        parse(text, "x")
