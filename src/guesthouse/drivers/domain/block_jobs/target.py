"""The image that a copy goes to, in a running QEMU: its nodes, and itself where it is not there yet.

A new file is made by us, empty and for nobody else to read; QEMU writes the header (`blockdev-create`).

Source: QEMU's `qapi/block-core.json` (`BlockdevCreateOptions`).
"""

from __future__ import annotations

from typing import Final

from guesthouse.drivers.domain.block_jobs import backing_text, qemu_jobs
from guesthouse.drivers.domain.hotplug import wiring
from guesthouse.drivers.domain.run import Run
from guesthouse.errors import Code, InternalError, LibvirtError, OperationFailedError, OperationUnsupportedError, Origin
from guesthouse.host.child import run as run_child
from guesthouse.model.domain.devices.base import DeviceContext
from guesthouse.model.domain.devices.disk.driver import FORMATS
from guesthouse.model.domain.devices.disk.nodes import Image
from guesthouse.model.qemu_objects import Blockdev, Command, Props, QemuObject, without_none
from guesthouse.qemu.json_value import JsonObject, as_int, as_object, objects, text_of

_LOOK_DEADLINE: Final = 10.0
_CREATE_DEADLINE: Final = 300.0
#: How long QEMU may take to open an image, in seconds: for an encrypted one it computes keys.
OPEN_DEADLINE: Final = 120.0
#: Formats that QEMU can make, and whether an image of one can lie on another.
_CREATED: Final = {
    "raw": False,
    "qcow2": True,
    "qcow": True,
    "qed": True,
    "vmdk": True,
    "vpc": False,
    "ploop": False,
    "vdi": False,
    "vhd": False,
}
#: Those whose header says the format of what they lie on.
_WITH_FORMAT: Final = ("qcow2", "qed")
#: Protocols over which QEMU can make storage.
_REMOTE: Final = ("gluster", "rbd", "ssh", "nfs")


def undoing(made: list[QemuObject]) -> list[Command]:
    """The orders that take these away again, the last first."""
    return [order for item in reversed(made) if (order := item.undo()) is not None]


async def make_file(path: str) -> None:
    """A new empty file, whatever somebody else puts there meanwhile. Raises error 38."""
    argv = ["dd", "if=/dev/null", f"of={path}", "conv=excl", "status=none"]
    made = await run_child(argv, deadline=_LOOK_DEADLINE, umask=0o077)
    if not made.ok:
        raise LibvirtError(
            f"failed to create copy target: {made.error_text.rpartition(': ')[2]}",
            code=Code.SYSTEM_ERROR,
            domain=Origin.QEMU,
        )


async def make(
    run: Run, image: Image, made: list[QemuObject], like: Image, below: Image | None, ctx: DeviceContext
) -> None:
    """Make an image as large as `like`, on top of `below`, and `made`, which its nodes are of.

    The caller takes away what of that is left behind by a failure.

    Raises `OperationUnsupportedError` for what QEMU cannot make, `OperationFailedError` with its reason.
    """
    if image.source.slice is not None:
        raise OperationUnsupportedError("creation of images with slice type='storage' is not supported")
    if image.data is not None:
        raise OperationUnsupportedError("creation of storage images with <dataStore> feature is not supported")
    entry = await _entry(run, like)
    size = as_int(as_object(entry.get("image"), "an image").get("virtual-size"), "the size of an image")
    storage = _storage(image, size, ctx)
    if storage is not None:
        await _create(run, f"create-{image.storage_node}", storage)
    top = [item for item in made if isinstance(item, Blockdev) and item.node == image.format_node]
    await wiring.make(run, [item for item in made if item not in top], deadline=OPEN_DEADLINE)
    if image.format_node is not None:
        await _create(run, f"create-{image.format_node}", _format(image, size, entry, like, below, ctx))
    await wiring.make(run, top, deadline=OPEN_DEADLINE)


async def _entry(run: Run, image: Image) -> JsonObject:
    answer = await run.talk().execute("query-named-block-nodes", {"flat": True})
    for entry in objects(answer, "the reply of query-named-block-nodes"):
        if text_of(entry, "node-name") == image.node:
            return entry
    raise InternalError(f"failed to update capacity data for block node '{image.node}'", domain=Origin.QEMU)


async def _create(run: Run, name: str, options: Props) -> None:
    try:
        arguments: Props = {"job-id": name, "options": options}
        await qemu_jobs.carry_out(run, name, "blockdev-create", arguments, deadline=_CREATE_DEADLINE)
    except OperationFailedError as error:
        raise OperationFailedError(f"failed to format image: '{error.detail}'") from error


def _storage(image: Image, size: int, ctx: DeviceContext) -> Props | None:
    """How QEMU makes the storage; None where it is there, or is a file that grows with the image in it."""
    if image.type == "file" and image.format == "raw":
        return {"driver": "file", "filename": image.source.path, "size": size}
    if image.type != "network" or image.source.protocol not in _REMOTE:
        return None
    location = backing_text.location(image, ctx)
    driver = location.pop("driver")
    return {"driver": driver, "location": location, "size": size}


def _format(image: Image, size: int, entry: JsonObject, like: Image, below: Image | None, ctx: DeviceContext) -> Props:
    driver = "luks" if image.format == "raw" else FORMATS.get(image.format)
    if image.format not in _CREATED or driver is None:
        raise OperationUnsupportedError(f"can't create storage format '{image.format}'")
    options: Props = {"driver": driver, "file": image.storage_node, "size": size}
    if image.format == "qcow2" and like.format == "qcow2":
        found = as_object(entry.get("image"), "an image")
        specific = found.get("format-specific")
        data = specific.get("data") if isinstance(specific, dict) else None
        extended = isinstance(data, dict) and data.get("extended-l2") is True
        cluster = found.get("cluster-size")
        options |= without_none({
            "cluster-size": cluster if isinstance(cluster, int) else None, "extended-l2": True if extended else None,
        })  # fmt: skip
    if below is not None and _CREATED[image.format]:
        options["backing-file"] = backing_text.of(below, ctx)
        if image.format in _WITH_FORMAT:
            options["backing-fmt"] = "luks" if below.encryption and below.format == "raw" else below.format
    return options | _encryption(image)


def _encryption(image: Image) -> Props:
    """The cipher of an encrypted image, with the secret that its nodes use too."""
    encryption = image.encryption
    if encryption is None or not encryption.in_qemu:
        return {}
    if encryption.format != "luks":
        raise OperationUnsupportedError("creation of qcow/qcow2 files supports only 'luks' encryption")
    key: Props = {"key-secret": f"{image.node}-encryption-secret0"}
    return key if image.format == "raw" else {"encrypt": {"format": "luks", **key}}


async def remove_files(paths: list[str]) -> None:
    """Remove files that nobody needs. Raises `ChildError`."""
    found = await run_child(["rm", "-f", "--", *paths], deadline=_LOOK_DEADLINE)
    if not found.ok:
        raise OperationFailedError(f"images stay: {found.error_text}")
