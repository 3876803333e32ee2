"""The files of virtual networks, in libvirt's places.

    CONFIG/qemu/networks/NAME.xml             the definition of a persistent network
    CONFIG/qemu/networks/autostart/NAME.xml   link to it: start with the daemon
    STATE/network/NAME.xml                    a network that is active, so that the next daemon knows it
    STATE/network/NAME.ports/UUID.xml         a place on it that a guest has
    STATE/network/NAME.ports/UUID.by-hand     it was asked for by hand: no guest's end gives it back
    STATE/network/NAME.changing               a network that is being started or stopped: what is left of it must go,
                                              unless it is active
    STATE/network/NAME.updating               a change of what is active and of its definition that is under way: it is
                                              to be finished

Every function blocks for the time that the daemon's own directories need; the driver runs them in a thread.

Source: https://libvirt.org/formatnetwork.html; libvirt 11.3.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from guesthouse.drivers.network import foreign
from guesthouse.errors import Code, LibvirtError, Origin
from guesthouse.host.files import read_limited, remove, sweep_temporaries, write_atomic
from guesthouse.model.binding import Reading
from guesthouse.model.network.definition import Network
from guesthouse.model.network.document import format_network, parse_network, read_network
from guesthouse.model.network_port import NetworkPort, format_network_port, parse_network_port
from guesthouse.model.noticed import noticed_by
from guesthouse.model.xmltext import parse_document
from guesthouse.places import Places

log = logging.getLogger(__name__)

_SIZE_LIMIT: Final = 4 * 1024 * 1024
_CHANGING: Final = ".changing"
_UPDATING: Final = ".updating"
_BY_HAND: Final = ".by-hand"
#: Around the network in its status file; no traffic classes are in use.
_STATUS: Final = ("<networkstatus>\n  <class_id bitmap='0-2'/>\n  <floor sum='0'/>\n", "</networkstatus>\n")


class NetworkFileError(LibvirtError):
    """A file of a network could not be written or removed. The host's fault."""

    code = Code.SYSTEM_ERROR
    domain = Origin.NETWORK


class NetworkStore:
    """The files of all networks of one daemon."""

    def __init__(self, places: Places) -> None:
        self._definitions = places.definitions / "networks"
        self._autostart = self._definitions / "autostart"
        self._state = places.network_state

    @property
    def is_new(self) -> bool:
        """Whether there has never been a network here."""
        return not self._definitions.exists()

    def prepare(self) -> None:
        """Make the directories, and sweep what dead writers left in them. Raises `NetworkFileError`."""
        for directory, mode in ((self._definitions, 0o700), (self._autostart, 0o700), (self._state, 0o755)):
            with _reporting(f"cannot create directory {directory}"):
                directory.mkdir(mode=mode, parents=True, exist_ok=True)
                sweep_temporaries(directory)

    def read_definitions(self) -> dict[str, str]:
        """All definitions: name of the file without `.xml`, to its text."""
        return _read_all(self._definitions)

    def read_states(self) -> dict[str, Network]:
        """The networks that were active. What cannot be read is logged, and left where it is."""
        found = {}
        for name, text in _read_all(self._state).items():
            try:
                found[name] = _parse_state(text)
            except LibvirtError as error:
                log.error("the status file of network '%s' is not usable: %s", name, error.message)
        return found

    def read_foreign_rules(self) -> dict[str, list[list[str]]]:
        """By the networks that another daemon left active, the commands that remove its firewall rules."""
        found = {}
        for name, text in _read_all(self._state).items():
            with contextlib.suppress(LibvirtError):
                if commands := foreign.orders(text):
                    found[name] = commands
        return found

    def read_ports(self, name: str) -> list[NetworkPort]:
        """The places that were given on a network."""
        found = []
        for file, text in _read_all(self._ports(name)).items():
            try:
                found.append(parse_network_port(text))
            except LibvirtError as error:
                log.error("port '%s' of network '%s' is not usable: %s", file, name, error.message)
        return found

    def write_definition(self, network: Network) -> None:
        """Write a definition, durably. Raises `NetworkFileError`."""
        with _reporting(f"cannot write the definition of network '{network.name}'"):
            write_atomic(self._definition(network.name), format_network(network).encode())

    def undefine(self, name: str) -> None:
        """Remove a definition and its link. The link goes first: alone it would be dangling."""
        with _reporting(f"cannot remove config file '{self._definition(name)}'"):
            remove(self._autostart / f"{name}.xml")
            remove(self._definition(name), durable=True)

    def is_autostart(self, name: str) -> bool:
        """Whether the link is there."""
        return (self._autostart / f"{name}.xml").is_symlink()

    def set_autostart(self, name: str, on: bool) -> None:
        """Make or remove the link. Raises `NetworkFileError`."""
        link = self._autostart / f"{name}.xml"
        with _reporting(f"Failed to {'create' if on else 'delete'} symlink '{link}'"):
            remove(link)
            if on:
                link.symlink_to(self._definition(name))

    def write_state(self, live: Network) -> None:
        """Write down that a network is active. Need not outlive the host's reboot. Raises `NetworkFileError`."""
        path = self._state / f"{live.name}.xml"
        note = self._state / f"{live.name}{_CHANGING}"
        inner = "".join(f"  {line}\n" for line in format_network(live, live=True).splitlines())
        with _reporting(f"cannot write the status file '{path}'"):
            write_atomic(path, f"{_STATUS[0]}{inner}{_STATUS[1]}".encode(), durable=False)
            remove(note)

    def remove_state(self, name: str) -> None:
        """A network is no longer active, and nobody has a place on it. Raises `NetworkFileError`."""
        folder = self._ports(name)
        with _reporting(f"cannot remove the status file of network '{name}'"):
            remove(self._state / f"{name}.xml")
            for kind in (".xml", _BY_HAND):
                for path in folder.glob(f"*{kind}"):
                    remove(path)
            with contextlib.suppress(FileNotFoundError):
                folder.rmdir()

    def write_change(self, live: Network) -> None:
        """Write down that a network is about to be made or removed. Raises `NetworkFileError`."""
        path = self._state / f"{live.name}{_CHANGING}"
        with _reporting(f"cannot write '{path}'"):
            write_atomic(path, format_network(live, live=True).encode(), durable=False)

    def remove_change(self, name: str) -> None:
        """It has been made or removed. Raises `NetworkFileError`."""
        with _reporting(f"cannot remove the note on network '{name}'"):
            remove(self._state / f"{name}{_CHANGING}")

    def read_changes(self) -> dict[str, Network]:
        """The networks that somebody was making or removing. What cannot be read is logged, and left where it is."""
        found = {}
        for name, text in _read_all(self._state, _CHANGING).items():
            try:
                found[name] = parse_network(text)
            except LibvirtError as error:
                log.error("the note on network '%s' is not usable: %s", name, error.message)
        return found

    def write_update(self, live: Network, config: Network) -> None:
        """Write down that both files of a network are about to be written. Raises `NetworkFileError`."""
        path = self._state / f"{live.name}{_UPDATING}"
        both = {"live": format_network(live, live=True), "config": format_network(config)}
        with _reporting(f"cannot write '{path}'"):
            write_atomic(path, json.dumps(both).encode())

    def remove_update(self, name: str) -> None:
        """Both are written. Raises `NetworkFileError`."""
        with _reporting(f"cannot remove the note on network '{name}'"):
            remove(self._state / f"{name}{_UPDATING}")

    def finish_updates(self) -> None:
        """Write what somebody had begun to write who was killed. What cannot be is logged, and left where it is."""
        for name, text in _read_all(self._state, _UPDATING).items():
            try:
                both = json.loads(text)
                live, config = parse_network(both["live"]), parse_network(both["config"])
                if (self._state / f"{name}.xml").exists():
                    self.write_state(live)
                self.write_definition(config)
                self.remove_update(name)
            except (LibvirtError, ValueError, KeyError, TypeError) as error:
                log.error("the change of network '%s' that was under way cannot be finished: %s", name, error)

    def write_port(self, name: str, port: NetworkPort, *, by_hand: bool = False) -> None:
        """Write down that a place was given. Raises `NetworkFileError`."""
        folder = self._ports(name)
        with _reporting(f"cannot write port {port.uuid} of network '{name}'"):
            folder.mkdir(mode=0o755, exist_ok=True)
            if by_hand:
                write_atomic(folder / f"{port.uuid}{_BY_HAND}", b"", durable=False)
            write_atomic(folder / f"{port.uuid}.xml", format_network_port(port).encode(), durable=False)

    def remove_port(self, name: str, uuid: str) -> None:
        """A place was given back. Raises `NetworkFileError`."""
        with _reporting(f"cannot remove port {uuid} of network '{name}'"):
            for kind in (".xml", _BY_HAND):
                remove(self._ports(name) / f"{uuid}{kind}")

    def read_by_hand(self, name: str) -> set[str]:
        """The ids of the places that no guest's end gives back."""
        return {path.name.removesuffix(_BY_HAND) for path in self._ports(name).glob(f"*{_BY_HAND}")}

    def _definition(self, name: str) -> Path:
        return self._definitions / f"{name}.xml"

    def _ports(self, name: str) -> Path:
        return self._state / f"{name}.ports"


def _parse_state(text: str) -> Network:
    with noticed_by(Origin.NETWORK):
        root = parse_document(text, "networkstatus", "network_status")
        node = root.find("network")
        if node is None:
            raise LibvirtError("Could not find any 'network' element in status file", domain=Origin.NETWORK)
        return read_network(node, Reading())


def _read_all(directory: Path, suffix: str = ".xml") -> dict[str, str]:
    found = {}
    for path in sorted(directory.glob(f"*{suffix}")):
        try:
            found[path.name.removesuffix(suffix)] = read_limited(path, _SIZE_LIMIT).decode("utf-8", "replace")
        except (OSError, LibvirtError) as error:
            log.error("cannot read '%s': %s", path, error)
    return found


@contextlib.contextmanager
def _reporting(what: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise NetworkFileError(f"{what}: {error.strerror or os.strerror(error.errno or 0)}") from error
