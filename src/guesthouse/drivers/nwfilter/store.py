"""The files of network filters, in libvirt's places.

    CONFIG/nwfilter/NAME.xml             the definition of a filter
    STATE/nwfilter-binding/DEVICE.xml    which filter a device has, so that the next daemon knows it

Beside the binding, the status file says what was learned of the guest and that the binding is a guest's; libvirt passes
over both. Every function blocks for the time that the daemon's own directories need; the driver runs them in a thread.

Source: https://libvirt.org/formatnwfilter.html; libvirt 11.3.
"""

from __future__ import annotations

import contextlib
import ipaddress
import logging
import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

from lxml import etree

from guesthouse.drivers.nwfilter.registry import Bound, Learned
from guesthouse.errors import Code, InternalError, LibvirtError, Origin, XmlError
from guesthouse.host.files import read_limited, remove, sweep_temporaries, write_atomic
from guesthouse.model.nwfilter.filter import Filter, format_nwfilter
from guesthouse.model.nwfilter_binding import format_nwfilter_binding, parse_nwfilter_binding
from guesthouse.model.xmltext import Lines, escape, parse_document
from guesthouse.places import Places

log = logging.getLogger(__name__)

_SIZE_LIMIT: Final = 4 * 1024 * 1024


class FilterFileError(LibvirtError):
    """A file of a filter could not be written or removed. The host's fault."""

    code = Code.SYSTEM_ERROR
    domain = Origin.NWFILTER


class FilterStore:
    """The files of all filters of one daemon."""

    def __init__(self, places: Places) -> None:
        self._definitions = places.config / "nwfilter"
        self._bindings = places.state / "nwfilter-binding"

    def prepare(self, shipped: Iterable[Filter]) -> None:
        """Make the directories, and sweep what dead writers left. A host without filters gets those that are `shipped`.

        Raises `FilterFileError`.
        """
        with _reporting(f"cannot create config directory '{self._definitions}'"):
            if not self._definitions.is_dir():
                self._ship(shipped)
        for directory in (self._definitions, self._bindings):
            with _reporting(f"cannot create config directory '{directory}'"):
                directory.mkdir(mode=0o700, parents=True, exist_ok=True)
                sweep_temporaries(directory)

    def _ship(self, shipped: Iterable[Filter]) -> None:
        """All or none: whoever is killed meanwhile leaves a directory that does not count."""
        beside = self._definitions.with_name(f"{self._definitions.name}.new")
        beside.mkdir(mode=0o700, parents=True, exist_ok=True)
        for definition in shipped:
            write_atomic(beside / f"{definition.name}.xml", format_nwfilter(definition).encode(), durable=False)
        beside.rename(self._definitions)

    def read_definitions(self) -> dict[str, str]:
        """All definitions: name of the file without `.xml`, to its text."""
        return _read_all(self._definitions)

    def write_definition(self, definition: Filter) -> None:
        """Write a definition, durably. Raises `FilterFileError`."""
        with _reporting(f"cannot write the definition of filter '{definition.name}'"):
            write_atomic(self._definition(definition.name), format_nwfilter(definition).encode())

    def remove_definition(self, name: str) -> None:
        """Remove a definition. Raises `FilterFileError`."""
        with _reporting(f"cannot remove config file '{self._definition(name)}'"):
            remove(self._definition(name), durable=True)

    def read_bindings(self) -> list[Bound]:
        """All bindings. What cannot be read is logged, and left where it is."""
        found = []
        for name, text in _read_all(self._bindings).items():
            try:
                bound = _parse(text)
                if bound.device != name:
                    raise InternalError(f"it is about device '{bound.device}'", domain=Origin.NWFILTER)
                found.append(bound)
            except LibvirtError as error:
                log.error("the status file of the filter on '%s' is not usable: %s", name, error.message)
        return found

    def write_binding(self, bound: Bound) -> None:
        """Write a binding. Need not outlive the host's reboot. Raises `FilterFileError`."""
        path = self._binding(bound.device)
        with _reporting(f"cannot write the status file '{path}'"):
            write_atomic(path, _format(bound).encode(), durable=False)

    def remove_binding(self, device: str) -> None:
        """Remove a binding's file. Raises `FilterFileError`."""
        path = self._binding(device)
        with _reporting(f"Unable to remove status '{path}' for nwfilter binding {device}'"):
            remove(path)

    def _definition(self, name: str) -> Path:
        return self._definitions / f"{name}.xml"

    def _binding(self, device: str) -> Path:
        return self._bindings / f"{device}.xml"


def check_name(name: str) -> None:
    """Refuse a filter's name that no file can have. Raises `XmlError`."""
    if "/" in name or "\n" in name or name in (".", "..") or len(os.fsencode(name)) > 240:
        raise XmlError(
            f"name '{name[:100]}' of a filter is not usable",
            domain=Origin.NWFILTER,
            hint="it takes at most 240 bytes, and no '/'",
        )


def _format(bound: Bound) -> str:
    lines = Lines()
    lines.open("filterbindingstatus")
    for line in format_nwfilter_binding(bound.binding).splitlines():
        lines.verbatim(line)
    for one in bound.learned:
        lines.leaf("learned", f" address='{escape(one.address)}' until='{one.until:.0f}'")
    if bound.run:
        lines.leaf("guest", f" run='{escape(bound.run)}'")
    lines.close("filterbindingstatus")
    return lines.text()


def _parse(text: str) -> Bound:
    root = parse_document(text, "filterbindingstatus", "nwfilterbinding_status")
    node = root.find("filterbinding")
    if node is None:
        raise InternalError("filter binding status missing content", domain=Origin.NWFILTER)
    binding = parse_nwfilter_binding(etree.tostring(node, encoding="unicode"))
    learned = tuple(_learned(one) for one in root.findall("learned"))
    guest = root.find("guest")
    return Bound(binding, run=str(guest.get("run", "")) if guest is not None else "", learned=learned)


def _learned(node: etree._Element) -> Learned:
    try:
        return Learned(str(ipaddress.IPv4Address(str(node.get("address")))), float(str(node.get("until", "0"))))
    except ValueError as error:
        raise InternalError(f"a learned address is not usable: {error}", domain=Origin.NWFILTER) from None


def _read_all(directory: Path) -> dict[str, str]:
    found = {}
    for path in sorted(directory.glob("*.xml")):
        try:
            found[path.name.removesuffix(".xml")] = read_limited(path, _SIZE_LIMIT).decode("utf-8", "replace")
        except (OSError, LibvirtError) as error:
            log.error("cannot read '%s': %s", path, error)
    return found


@contextlib.contextmanager
def _reporting(what: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise FilterFileError(f"{what}: {error.strerror or os.strerror(error.errno or 0)}") from error
