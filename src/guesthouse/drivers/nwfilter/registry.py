"""Which network filters there are, which devices have one, and how either is found. Rules and texts are libvirt's."""

from __future__ import annotations

import uuid as _uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from guesthouse.errors import Code, LibvirtError, OperationFailedError, Origin
from guesthouse.model.binding import clone, new
from guesthouse.model.domain.devices.interface.filterref import FilterParameter
from guesthouse.model.nwfilter.filter import Filter
from guesthouse.model.nwfilter.variables import IP, MAC, values_of
from guesthouse.model.nwfilter_binding import FilterBinding

if TYPE_CHECKING:
    from guesthouse.drivers.nwfilter.watching import Watcher


class NoFilterError(LibvirtError):
    """No network filter of that name or UUID."""

    code = Code.NO_NWFILTER
    domain = Origin.NWFILTER


class NoBindingError(LibvirtError):
    """No filter is bound to that device."""

    code = Code.NO_NWFILTER_BINDING
    domain = Origin.NWFILTER


class FilterRegistry:
    """All filters, in the order of their names."""

    def __init__(self) -> None:
        self._filters: dict[str, Filter] = {}

    def __iter__(self) -> Iterator[Filter]:
        return iter([self._filters[name] for name in sorted(self._filters)])

    def __len__(self) -> int:
        return len(self._filters)

    def get(self, name: str) -> Filter | None:
        """The filter of this name, if there is one."""
        return self._filters.get(name)

    def add(self, definition: Filter) -> None:
        """Know a filter from now on, instead of the one of this name."""
        self._filters[definition.name] = definition

    def discard(self, name: str) -> None:
        """Forget a filter."""
        self._filters.pop(name, None)

    def named(self, name: str) -> Filter:
        """The filter of this name. Raises `NoFilterError`."""
        found = self._filters.get(name)
        if found is None:
            raise NoFilterError(f"no nwfilter with matching name '{name}'")
        return found

    def with_uuid(self, uuid: bytes) -> Filter:
        """The filter with this UUID. Raises `NoFilterError`."""
        text = str(_uuid.UUID(bytes=uuid))
        for definition in self._filters.values():
            if definition.uuid == text:
                return definition
        raise NoFilterError(f"no nwfilter with matching uuid '{text}'")

    def check_free(self, definition: Filter) -> Filter | None:
        """The filter that `definition` would change, if there is one.

        Raises `OperationFailedError` where its name or its UUID belongs to another.
        """
        for other in self._filters.values():
            if other.uuid == definition.uuid and other.name != definition.name:
                raise _conflict(f"filter with same UUID but different name ('{other.name}') already exists")
        known = self._filters.get(definition.name)
        if known is not None and known.uuid != definition.uuid:
            raise _conflict(
                f"filter '{definition.name}' already exists with uuid {known.uuid}",
                hint="to change it, give the document this uuid",
            )
        return known


def _conflict(text: str, hint: str = "") -> LibvirtError:
    return OperationFailedError(text, domain=Origin.NWFILTER, hint=hint)


@dataclass(frozen=True, slots=True)
class Learned:
    """An address of a guest that was seen. `until` is when its lease ends, in seconds since 1970; 0 for never."""

    address: str
    until: float = 0.0


@dataclass(slots=True)
class Bound:
    """A device with a filter. `run` is whose it is where the domain driver asked for it; `learned` is what was seen."""

    binding: FilterBinding
    run: str = ""
    learned: tuple[Learned, ...] = ()
    watcher: Watcher | None = field(default=None, compare=False)

    @property
    def device(self) -> str:
        """The name of the device."""
        return self.binding.port

    @property
    def root(self) -> str:
        """The name of the filter."""
        return self.binding.filter.filter

    @property
    def values(self) -> Mapping[str, tuple[str, ...]]:
        """The values of the filter's variables: those that were given, the card's address, what was learned."""
        found = values_of(self.binding.filter.parameters)
        found.setdefault(MAC, (self.binding.mac,))
        if self.learned:
            found.setdefault(IP, tuple(one.address for one in self.learned))
        return found

    def with_learned(self, learned: tuple[Learned, ...]) -> Bound:
        """The same with other addresses."""
        return replace(self, learned=learned)

    def shown(self) -> FilterBinding:
        """The binding as clients see it: with all values."""
        made = clone(self.binding)
        made.filter.parameters = [
            new(FilterParameter, name=name, value=value)
            for name, values in sorted(self.values.items())
            for value in values
        ]
        return made


class BindingRegistry:
    """All bindings, by device."""

    def __init__(self) -> None:
        self._bound: dict[str, Bound] = {}

    def __iter__(self) -> Iterator[Bound]:
        return iter([self._bound[device] for device in sorted(self._bound)])

    def get(self, device: str) -> Bound | None:
        """The binding of a device, if it has one."""
        return self._bound.get(device)

    def on(self, device: str) -> Bound:
        """The binding of a device. Raises `NoBindingError`."""
        found = self._bound.get(device)
        if found is None:
            raise NoBindingError(f"no nwfilter binding for port dev '{device}'")
        return found

    def add(self, bound: Bound) -> None:
        """Know a binding from now on, instead of the one of this device."""
        self._bound[bound.device] = bound

    def discard(self, device: str) -> None:
        """Forget a binding."""
        self._bound.pop(device, None)
