"""Volumes that are files of a directory: the back end of pools of type `dir`, `fs`, `netfs` and `vstorage`.

A new image is made under a hidden name in the same directory and gets its own when it is whole; what is there is never
replaced. A hidden name says who made it: the next survey removes those of a daemon that is dead.
"""

from __future__ import annotations

import asyncio
import errno
import os
from collections.abc import Mapping

from guesthouse.drivers.storage.backend import Ability, CopySource, Order, Survey, VolumeFacts
from guesthouse.drivers.storage.volumes import reading
from guesthouse.drivers.storage.volumes.local import LocalVolumes, plain
from guesthouse.errors import Code, LibvirtError, OperationInvalidError, Origin, UnsupportedConfigError
from guesthouse.host.files import temporary_name
from guesthouse.model.volume import Volume
from guesthouse.qemu.image_options import (
    SOURCE_KEY,
    VOLUME_KEY,
    create_options,
    create_size,
    driver,
    image_options,
    rounded,
)
from guesthouse.qemu.image_runs import ImageRunError, run_image_tool
from guesthouse.qemu.json_value import JsonObject, as_list, as_object, text_of
from guesthouse.qemu.volume_agent import SURVEY_DEADLINE, StorageError

_MODE = 0o600
_SECTOR = 512
#: How many volumes are taken up in one turn of the event loop.
_AT_ONCE = 500


class FileVolumes(LocalVolumes):
    """The volumes of one directory."""

    @property
    def abilities(self) -> frozenset[Ability]:
        """Everything."""
        return frozenset(Ability)

    @property
    def makes_hidden(self) -> bool:
        """A new image has a hidden name until it is whole."""
        return True

    @property
    def needs_capacity(self) -> bool:
        """An image that lies on another has its size."""
        return False

    @property
    def directory(self) -> str:
        """Where they are."""
        return self.definition.path

    def path(self, name: str) -> str:
        """Where a volume of this name is."""
        return os.path.join(self.directory, name)

    async def survey(self, known: Mapping[str, VolumeFacts]) -> Survey:
        """All that is in the directory; only what is new or changed is read."""
        return await self._survey(known) or await self._survey({}) or Survey(0, 0, 0)

    async def _survey(self, known: Mapping[str, VolumeFacts]) -> Survey | None:
        """The same, or None where the worker takes something for known that is not."""
        try:
            found, parts = await self.agent.ask_parts(
                "survey", {"path": self.directory, "fresh": not known}, deadline=SURVEY_DEADLINE
            )
        except StorageError as error:
            raise LibvirtError(
                f"cannot open directory '{self.directory}': {error.reason}",
                code=Code.SYSTEM_ERROR,
                domain=Origin.STORAGE,
            ) from error
        changed = {str(name) for name in as_list(found["changed"], "the changed")}
        if "identities" in found:
            changed = _changed(as_object(found["identities"], "the identities"), known)
            parts = await self._read(sorted(changed))
        self.agent.in_threads = found["local"] is True
        read = {text_of(item, "name"): item for item in parts}
        volumes: dict[str, VolumeFacts] = {}
        for number, name in enumerate(str(one) for one in as_list(found["names"], "the names")):
            if number % _AT_ONCE == _AT_ONCE - 1:
                await asyncio.sleep(0)  # others are served between the parts of a big directory
            if name in read:
                volumes[name] = reading.volume(self.directory, read[name])
            elif name not in changed:
                if name not in known:
                    return None
                volumes[name] = known[name]
        return reading.survey(found, volumes)

    async def _read(self, names: list[str]) -> list[JsonObject]:
        """What these files hold, as the worker tells it."""
        found: list[JsonObject] = []
        for begin in range(0, len(names), _AT_ONCE):
            fields: JsonObject = {"path": self.directory, "names": [*names[begin : begin + _AT_ONCE]]}
            answer = await self.agent.ask("look_several", fields, deadline=SURVEY_DEADLINE)
            found += [as_object(one, "a volume") for one in as_list(answer["entries"], "the volumes")]
        return found

    async def look(self, name: str) -> Survey:
        """One volume as it is now."""
        return self._seen(await self.agent.ask("look", {"path": self.directory, "name": name}))

    def _seen(self, found: JsonObject) -> Survey:
        entry = found["entry"]
        volumes = {}
        if entry is not None:
            volume = reading.volume(self.directory, as_object(entry, "a volume"))
            volumes[volume.name] = volume
        return reading.survey(found, volumes)

    async def make(self, order: Order) -> Survey:
        """Make a volume. Raises `LibvirtError`; nothing is left then."""
        wanted = order.wanted
        format_ = _format(wanted)
        if format_ == "ploop":
            raise LibvirtError(
                "unable to find ploop, please install ploop tools", code=Code.INTERNAL_ERROR, domain=Origin.STORAGE
            )
        hidden = temporary_name()
        try:
            if format_ == "dir":
                made = await self._make_directory(order)
            elif _is_raw(wanted) and (order.source is None or plain(order.source)):
                made = await self._make_raw(order, hidden)
            else:
                await self._make_image(order, hidden)
                made = await self._settle(wanted, hidden)
        except BaseException as error:
            await self._discard(hidden)
            if isinstance(error, StorageError):
                raise self._refused(order, error) from error
            if isinstance(error, ImageRunError):
                error.say_instead(hidden, wanted.name)
            raise
        return self._seen(made)

    async def _make_directory(self, order: Order) -> JsonObject:
        if order.source is not None:
            raise LibvirtError(
                "cannot copy from volume to a directory volume", code=Code.INTERNAL_ERROR, domain=Origin.STORAGE
            )
        if order.wanted.backing is not None:
            raise _no_support("backing storage not supported for directories volumes")
        return await self.agent.ask("make_directory", {"path": self.directory, **_place(order.wanted)})

    async def _make_raw(self, order: Order, hidden: str) -> JsonObject:
        wanted, source = order.wanted, order.source
        if order.metadata:
            raise UnsupportedConfigError(
                "metadata preallocation is not supported for raw volumes", domain=Origin.STORAGE
            )
        if wanted.backing is not None and source is None:
            raise _no_support("backing storage not supported for raw volumes")
        size = wanted.capacity.bytes_ if wanted.capacity is not None else 0
        allocate = wanted.allocation.bytes_ if wanted.allocation is not None else size
        nocow = wanted.target is not None and wanted.target.nocow
        made: JsonObject = {"path": self.directory, "temporary": hidden, "size": size, "nocow": nocow}
        report = order.work.report
        if source is not None:
            copied: JsonObject = {"source": source.image, "allocate": allocate, "reflink": order.reflink}
            await self.agent.run("copy", {**made, **copied}, report=report)
        elif allocate:
            await self.agent.run("fill", {**made, "allocate": allocate}, report=report)
        else:
            return await self.agent.ask("make_empty", {**made, **_place(wanted)})
        return await self._settle(wanted, hidden)

    async def _make_image(self, order: Order, hidden: str) -> None:
        wanted, source = order.wanted, order.source
        place = self.path(hidden)
        kind = driver(_format(wanted), "luks" if _encrypted(wanted) else "")
        size = wanted.capacity.bytes_ if wanted.capacity is not None else 0
        if source is not None and order.reflink:
            await self._share(order, source, hidden)
            return
        secrets = {} if order.secret is None else {VOLUME_KEY: order.secret}
        backed = wanted.backing is not None and source is None
        options = create_options(wanted, kind, metadata=order.metadata, backed=backed)
        chosen = ["-o", ",".join(options)] if options else []
        if source is None:
            await self._check_backing(wanted)
            below = ["-b", wanted.backing.path] if wanted.backing is not None else []
            sizes = [create_size(size)] if size or not below else []
            mortal = order.metadata
            await run_image_tool("create", "-f", kind, *below, *chosen, place, *sizes, secrets=secrets, mortal=mortal)
            return
        reads = driver("raw" if source.volume.kind == "block" else source.volume.format, source.volume.encryption)
        report, total = order.work.report, source.volume.capacity
        if not secrets and source.secret is None:
            await run_image_tool(
                "convert", "-p", "-f", reads, "-O", kind, *chosen, source.image, place,
                report=report, total=total,
            )  # fmt: skip
            if size > source.volume.capacity:
                await run_image_tool("resize", "-f", kind, place, str(rounded(size, _SECTOR)))
            return
        await run_image_tool("create", "-f", kind, *chosen, place, create_size(size), secrets=secrets)
        if source.secret is not None:
            secrets[SOURCE_KEY] = source.secret
        await run_image_tool(
            "convert", "-p", "-n", "--image-opts", "--target-image-opts",
            image_options(source.image, reads, SOURCE_KEY if source.secret is not None else ""),
            image_options(place, kind, VOLUME_KEY if order.secret is not None else ""),
            secrets=secrets, report=report, total=total,
        )  # fmt: skip

    async def _share(self, order: Order, source: CopySource, hidden: str) -> None:
        """Make a copy that shares its blocks, which must be one of the same kind."""
        same = _format(order.wanted) == source.volume.format and _encrypted(order.wanted) == bool(
            source.volume.encryption
        )
        if not same or source.volume.backing is not None or not source.image.startswith("/"):
            raise UnsupportedConfigError(
                f"a reflink of volume '{source.volume.name}' must have its format and encryption, and lie on no other",
                domain=Origin.STORAGE, hint="clone it without --reflink",
            )  # fmt: skip
        copied: JsonObject = {"source": source.image, "size": 0, "allocate": 0, "reflink": True, "nocow": False}
        place: JsonObject = {"path": self.directory, "temporary": hidden}
        await self.agent.run("copy", {**place, **copied}, report=order.work.report)

    async def _check_backing(self, wanted: Volume) -> None:
        if wanted.backing is None:
            return
        path = wanted.backing.path
        try:
            await self.agent.ask("readable", {"place": os.path.join(self.directory, path)})
        except StorageError as error:
            raise LibvirtError(
                f"inaccessible backing store volume {path}: {error.reason}",
                code=Code.SYSTEM_ERROR, domain=Origin.STORAGE,
            ) from error  # fmt: skip

    async def _settle(self, wanted: Volume, hidden: str) -> JsonObject:
        return await self.agent.ask("settle", {"path": self.directory, "temporary": hidden, **_place(wanted)})

    async def _discard(self, hidden: str) -> None:
        try:
            await self.agent.ask("discard", {"path": self.directory, "temporary": hidden})
        except LibvirtError:
            return  # the storage hangs: the next survey that it answers removes it

    def _refused(self, order: Order, error: StorageError) -> LibvirtError:
        path = self.path(order.wanted.name)
        nocow = order.wanted.target is not None and order.wanted.target.nocow
        if nocow and error.number in (errno.EOPNOTSUPP, errno.ENOTTY, errno.EINVAL):
            reason = os.strerror(errno.ENOSYS)
            return LibvirtError(
                f"unable to control COW flag on '{path}', not btrfs: {reason}",
                code=Code.SYSTEM_ERROR, domain=Origin.STORAGE, hint="leave out <nocow/>",
            )  # fmt: skip
        if error.number == errno.EEXIST:
            return OperationInvalidError(f"volume target path '{path}' already exists", domain=Origin.STORAGE)
        if order.source is not None and order.reflink and error.number in (errno.EOPNOTSUPP, errno.EXDEV, errno.EINVAL):
            what = f"failed to clone files from '{order.source.image}'"
        elif order.source is not None:
            what = f"cannot copy '{order.source.image}' to '{path}'"
        else:
            what = f"Failed to create file '{path}'"
        return LibvirtError(f"{what}: {error.reason}", code=Code.SYSTEM_ERROR, domain=Origin.STORAGE)

    async def discard(self, name: str) -> None:
        """Nothing is ever made under its own name."""

    async def delete(self, volume: VolumeFacts, *, snapshots: bool = False) -> Survey:
        """Remove a file, or a directory that is empty."""
        if snapshots:
            raise _no_support("files have no snapshots of their own", code=Code.INVALID_ARG)
        try:
            left = await self.agent.ask("delete", {"path": self.directory, "name": volume.name})
        except StorageError as error:
            what = "remove directory" if volume.kind == "dir" else "unlink file"
            raise LibvirtError(
                f"cannot {what} '{volume.path}': {error.reason}", code=Code.SYSTEM_ERROR, domain=Origin.STORAGE
            ) from error
        return reading.survey(left, {})

    async def resize(
        self, volume: VolumeFacts, capacity: int, *, allocate: bool, shrink: bool, secret: bytes | None = None
    ) -> None:
        """Change the size of an image."""
        if allocate and (volume.encryption or volume.format != "raw"):
            kind = "an unencrypted raw volume" if volume.format == "raw" else "raw type volume"
            raise LibvirtError(
                f"preallocate is only supported for {kind}", code=Code.OPERATION_UNSUPPORTED, domain=Origin.STORAGE
            )
        if volume.format != "raw" or volume.encryption:
            await self._resize_image(volume, capacity, secret)
            return
        try:
            if allocate:
                await self.agent.run("grow", {"place": volume.path, "old": volume.physical, "size": capacity})
            else:
                await self.agent.ask("truncate", {"place": volume.path, "size": capacity})
        except StorageError as error:
            what = "preallocate space for" if allocate else "truncate"
            raise LibvirtError(
                f"Failed to {what} file '{volume.path}': {error.reason}",
                code=Code.SYSTEM_ERROR, domain=Origin.STORAGE,
            ) from error  # fmt: skip

    async def _resize_image(self, volume: VolumeFacts, capacity: int, secret: bytes | None) -> None:
        words = ["--shrink"] if capacity < volume.capacity else []
        kind, size = driver(volume.format, volume.encryption), str(rounded(capacity, _SECTOR))
        if not volume.encryption:
            await run_image_tool("resize", *words, "-f", kind, volume.path, size, mortal=False)
            return
        if volume.encryption != "luks":
            raise UnsupportedConfigError("resize of qcow2 encrypted image is not supported", domain=Origin.STORAGE)
        if secret is None:
            raise LibvirtError("no secret provided for luks encryption", code=Code.XML_ERROR, domain=Origin.STORAGE)
        await run_image_tool(
            "resize",
            *words,
            "--image-opts",
            image_options(volume.path, kind, VOLUME_KEY),
            size,
            secrets={VOLUME_KEY: secret},
            mortal=False,
        )

    def staging(self, volume: VolumeFacts) -> tuple[str, str] | None:
        """A hidden name beside the file; a device or a directory in the pool has none."""
        return (self.directory, temporary_name()) if volume.kind == "file" else None


def _changed(identities: JsonObject, known: Mapping[str, VolumeFacts]) -> set[str]:
    """Which files are not as the volumes that are known."""
    return {name for name, shape in identities.items() if name not in known or [*known[name].identity] != shape}


def _format(wanted: Volume) -> str:
    found = wanted.target.format if wanted.target is not None else None
    return found.type if found is not None else "raw"


def _encrypted(wanted: Volume) -> bool:
    return wanted.target is not None and wanted.target.encryption is not None


def _is_raw(wanted: Volume) -> bool:
    return driver(_format(wanted)) == "raw" and not _encrypted(wanted)


def _place(wanted: Volume) -> JsonObject:
    """The name of the new file, who shall own it, and its bits; -1 leaves an owner as it comes."""
    found = wanted.target.permissions if wanted.target is not None else None
    mode, uid, gid, label = (None, None, None, None) if found is None else (
        found.mode, found.owner, found.group, found.label
    )  # fmt: skip
    return {
        "name": wanted.name,
        "mode": _MODE if mode is None else mode,
        "uid": -1 if uid is None else uid,
        "gid": -1 if gid is None else gid,
        "label": label or "",
    }


def _no_support(text: str, code: int = Code.NO_SUPPORT) -> LibvirtError:
    return LibvirtError(text, code=code, domain=Origin.STORAGE)
