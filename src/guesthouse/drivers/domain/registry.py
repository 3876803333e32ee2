"""Which guests there are: by name, by UUID and by id, each in one step."""

from __future__ import annotations

from collections.abc import Iterator
from uuid import UUID

from guesthouse.drivers.domain.guest import Guest
from guesthouse.errors import NoSuchDomainError, OperationFailedError, OperationInvalidError, Origin
from guesthouse.model.domain.definition import Domain


class Registry:
    """All guests. Names and UUIDs are unique; ids belong to running guests and are never used twice."""

    def __init__(self) -> None:
        self.by_name: dict[str, Guest] = {}
        self.by_uuid: dict[bytes, Guest] = {}
        self.by_id: dict[int, Guest] = {}
        #: Names whose files are on disk but cannot be used, with the reason. They are nobody else's to take.
        self.unreadable: dict[str, str] = {}
        self._last_id = 0
        #: Counts every change of the set of guests; cached answers about the whole compare it.
        self.version = 0

    def __iter__(self) -> Iterator[Guest]:
        return iter(self.by_uuid.values())

    def __len__(self) -> int:
        return len(self.by_uuid)

    def named(self, name: str) -> Guest:
        """The guest of this name. Raises `NoSuchDomainError`."""
        found = self.by_name.get(name)
        if found is None:
            raise NoSuchDomainError(f"no domain with matching name '{name}'")
        return found

    def with_id(self, id_: int) -> Guest:
        """The running guest of this id. Raises `NoSuchDomainError`."""
        found = self.by_id.get(id_)
        if found is None:
            raise NoSuchDomainError(f"no domain with matching id {id_}")
        return found

    def with_uuid(self, uuid: bytes, name: str = "") -> Guest:
        """The guest of this UUID; `name` is what the client thinks it is called. Raises `NoSuchDomainError`."""
        found = self.by_uuid.get(uuid)
        if found is None:
            known = f" ({name})" if name else ""
            raise NoSuchDomainError(f"no domain with matching uuid '{UUID(bytes=uuid)}'{known}")
        return found

    def match(self, definition: Domain) -> Guest | None:
        """The guest that `definition` redefines, None for a new one.

        Raises `OperationFailedError` when the name or the UUID belongs to another guest.
        """
        known = self.by_uuid.get(UUID(definition.uuid).bytes)
        if known is not None:
            if known.name != definition.name:
                raise OperationFailedError(
                    f"domain '{known.name}' is already defined with uuid {known.uuid_text}", domain=Origin.DOMAIN
                )
            return known
        other = self.by_name.get(definition.name)
        if other is not None:
            raise OperationFailedError(
                f"domain '{definition.name}' already exists with uuid {other.uuid_text}", domain=Origin.DOMAIN
            )
        self.check_readable(definition.name)
        return None

    def check_readable(self, name: str) -> None:
        """Refuse a name whose files could not be read. Raises `OperationFailedError`."""
        reason = self.unreadable.get(name)
        if reason is not None:
            raise OperationFailedError(
                f"domain '{name}' exists, but cannot be managed: {reason}",
                hint="choose another name, or mend or move its file and restart the daemon",
            )

    def add(self, guest: Guest) -> None:
        """Take a new guest in; `match` has said that it is new."""
        self.by_name[guest.name] = guest
        self.by_uuid[guest.uuid] = guest
        if guest.active:
            self.by_id[guest.id] = guest
            self._last_id = max(self._last_id, guest.id)
        self.version += 1

    def remove(self, guest: Guest) -> None:
        """Forget a guest."""
        self.by_name.pop(guest.name, None)
        self.by_uuid.pop(guest.uuid, None)
        self.by_id.pop(guest.id, None)
        guest.removed = True
        self.version += 1

    def rename(self, guest: Guest, name: str) -> None:
        """Give a guest another name. Raises `OperationInvalidError` when it is taken."""
        if name in self.by_name:
            raise OperationInvalidError(f"domain with name '{name}' already exists")
        del self.by_name[guest.name]
        guest.name = name
        self.by_name[name] = guest
        guest.changed()
        self.version += 1

    def next_id(self) -> int:
        """An id that no guest has had since the daemon started (or that a guest it picked up has)."""
        self._last_id += 1
        return self._last_id

    def activate(self, guest: Guest, id_: int) -> None:
        """The guest has this id from now on."""
        guest.id = id_
        self.by_id[id_] = guest
        self._last_id = max(self._last_id, id_)
        guest.changed()
        self.version += 1

    def deactivate(self, guest: Guest) -> None:
        """The guest is off."""
        self.by_id.pop(guest.id, None)
        guest.id = -1
        guest.changed()
        self.version += 1
