"""QMP's schema of itself (`query-qmp-schema`): does a command have this argument, this variant, this value?

A path starts with a command and goes down its arguments: `netdev_add:stream/reconnect-ms` is the member
`reconnect-ms` of the variant `stream` of the arguments of `netdev_add`; `name=value` ends in a value of an
enumeration. Source: QEMU's `qapi/introspect.json`.
"""

from __future__ import annotations

import re

from guesthouse.qemu.json_value import Json, JsonObject, objects, text_of

#: What is looked for, and remembered in the capabilities' `features`.
FEATURES = (
    "blockdev-add:file/aio=io_uring",
    "blockdev-add:file/locking",
    "blockdev-add:nvme",
    "blockdev-add:qcow2/data-file",
    "blockdev-add:qcow2/discard-no-unref",
    "blockdev-add:rbd",
    "blockdev-add:ssh",
    "blockdev-reopen",
    "block-export-add:nbd/bitmaps",
    "block-export-add:vhost-user-blk",
    "chardev-add/backend:qemu-vdagent",
    "chardev-add/backend:spicevmc",
    "chardev-add/backend:socket/data/reconnect",
    "chardev-add/backend:socket/data/reconnect-ms",
    "display-reload",
    "display-update",
    "dump-guest-memory/format=win-dmp",
    "migrate/channels",
    "migrate-set-parameters/zero-page-detection",
    "netdev_add:stream/reconnect",
    "netdev_add:stream/reconnect-ms",
    "netdev_add:user",
    "netdev_add:vhost-vdpa",
    "nbd-server-start/max-connections",
    "object-add:iothread/thread-pool-max",
    "object-add:memory-backend-file/rom",
    "object-add:sev-snp-guest",
    "object-add:tdx-guest",
    "object-add:thread-context",
    "object-add:secret",
    "screendump/format",
    "set_password",
    "query-stats",
)

_STEP = re.compile(r"(?P<member>[^:=]+)(?::(?P<variant>[^=]+))?(?:=(?P<value>.+))?")


class Schema:
    """The answer of `query-qmp-schema`, ready for questions. Raises `UnexpectedJsonError` when it is none."""

    def __init__(self, answer: Json) -> None:
        self._entities = {text_of(entity, "name"): entity for entity in objects(answer, "the QMP schema")}

    def has(self, path: str) -> bool:
        """Whether `path` exists."""
        steps = path.split("/")
        match = _STEP.fullmatch(steps[0])
        command = self._entities.get(match["member"] if match else "")
        if match is None or command is None or command.get("meta-type") != "command":
            return False
        entity = self._variant(self._entity(command.get("arg-type")), match["variant"])
        for step in steps[1:]:
            entity = self._descend(entity, step)
        return entity is not None

    def found(self, paths: tuple[str, ...] = FEATURES) -> frozenset[str]:
        """Those of `paths` that exist."""
        return frozenset(path for path in paths if self.has(path))

    def _descend(self, entity: JsonObject | None, step: str) -> JsonObject | None:
        match = _STEP.fullmatch(step)
        if entity is None or match is None:
            return None
        member = next((item for item in _items(entity, "members") if item.get("name") == match["member"]), None)
        found = self._variant(self._entity(member.get("type")), match["variant"]) if member else None
        if found is None or match["value"] is None:
            return found
        values = found.get("values")
        return found if isinstance(values, list) and match["value"] in values else None

    def _variant(self, entity: JsonObject | None, name: str | None) -> JsonObject | None:
        if entity is None or name is None:
            return entity
        variant = next((item for item in _items(entity, "variants") if item.get("case") == name), None)
        return self._entity(variant.get("type")) if variant else None

    def _entity(self, name: Json) -> JsonObject | None:
        """A type by name; of a list the type of its elements."""
        entity = self._entities.get(name) if isinstance(name, str) else None
        if entity is not None and entity.get("meta-type") == "array":
            return self._entity(entity.get("element-type"))
        return entity


def _items(entity: JsonObject, key: str) -> list[JsonObject]:
    found = entity.get(key)
    return [item for item in found if isinstance(item, dict)] if isinstance(found, list) else []
