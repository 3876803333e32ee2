"""What a guest boots, on QEMU's command line: firmware in flash or as a ROM, its variables, a kernel, the boot menu.

Options: `-blockdev`, `-bios`, `-boot`, `-kernel`, `-acpitable` in QEMU's manual page; flash: QEMU's
`docs/interop/firmware.json`.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from guesthouse.model.domain.devices.disk.remote import Credentials, remote_props
from guesthouse.model.domain.launch import LaunchContext
from guesthouse.model.domain.os import Nvram, Os
from guesthouse.model.domain.secrets import secret_object
from guesthouse.model.qemu_objects import Blockdev, Props, QemuObject, quoted

_CODE: Final = "libvirt-pflash0"
_VARIABLES: Final = "libvirt-pflash1"
_DRIVERS: Final = {"block": "host_device"}


def flash_words(boot: Os) -> list[str]:
    """The nodes of the flash among the properties of `-machine`."""
    if not _flash(boot):
        return []
    words = [f"pflash0={_CODE}-format"]
    if boot.nvram is not None:
        words.append(f"pflash1={_VARIABLES}-{'storage' if _format(boot.nvram) == 'raw' else 'format'}")
    return words


def flash_arguments(boot: Os, launch: LaunchContext) -> list[str]:
    """The block nodes of firmware that is mapped as flash, and of its variables."""
    loader = boot.loader
    if loader is None or not _flash(boot):
        return []
    storage: Props = {"driver": "file", "filename": loader.path}
    nodes: list[QemuObject] = [*_nodes(_CODE, storage, loader.format or "raw", read_only=bool(loader.readonly))]
    if boot.nvram is not None:
        nodes += _variables(boot.nvram, launch)
    return [word for node in nodes for word in node.arguments()]


def firmware_arguments(boot: Os) -> list[str]:
    """What a firmware needs besides its flash: `-bios`, or the protection of its variables."""
    loader = boot.loader
    if loader is not None and loader.type == "rom" and loader.path:
        return ["-bios", loader.path]
    if loader is not None and loader.secure and _flash(boot):
        return ["-global", "driver=cfi.pflash01,property=secure,value=on"]
    return []


def boot_arguments(boot: Os) -> list[str]:
    """`-boot`, the kernel that is booted without firmware's help, and more ACPI tables."""
    parts: list[str] = []
    if boot.bootmenu is not None and boot.bootmenu.enable is not None:
        parts.append(f"menu={'on' if boot.bootmenu.enable else 'off'}")
    if boot.bios is not None and boot.bios.reboot_timeout is not None:
        parts.append(f"reboot-timeout={boot.bios.reboot_timeout}")
    if boot.bootmenu is not None and boot.bootmenu.timeout is not None:
        parts.append(f"splash-time={boot.bootmenu.timeout}")
    words = ["-boot", ",".join([*parts, "strict=on"])]
    given = {
        "-kernel": boot.kernel,
        "-initrd": boot.initrd,
        "-append": boot.cmdline,
        "-shim": boot.shim,
        "-dtb": boot.dtb,
    }
    for option, value in given.items():
        words += [option, value] if value else []
    for table in boot.acpi.tables if boot.acpi is not None else ():
        signature = f"sig={_SIGNATURES[table.type]}," if table.type in _SIGNATURES else ""
        words += ["-acpitable", f"{signature}file={quoted(table.path)}"]
    return words


#: What QEMU is to call a table that does not say so itself.
_SIGNATURES: Final = {"slic": "SLIC", "msdm": "MSDM"}


def _flash(boot: Os) -> bool:
    return boot.loader is not None and boot.loader.type == "pflash" and boot.loader.path is not None


def _format(nvram: Nvram) -> str:
    return nvram.format or "raw"


def _variables(nvram: Nvram, launch: LaunchContext) -> list[QemuObject]:
    made: list[QemuObject] = []
    if nvram.source is not None and nvram.type == "network":
        login, auth = f"{_VARIABLES}-storage-auth-secret0", nvram.source.auth
        known = Credentials() if auth is None else Credentials(user=auth.username, login=login)
        if auth is not None:
            usage = "ceph" if nvram.source.protocol == "rbd" else "iscsi"
            made.append(secret_object(login, launch.secret(usage, auth.secret), launch.seal))
        source = nvram.source
        if source.protocol == "iscsi" and source.name is not None and "/" not in source.name:
            source = replace(source, name=f"{source.name}/0")
        storage = remote_props(source, known, launch.settings.gluster_debug_level)
    else:
        storage = {"driver": _DRIVERS.get(nvram.type or "", "file"), "filename": nvram.path or ""}
    if _format(nvram) == "raw":
        return [*made, Blockdev({**storage, "node-name": f"{_VARIABLES}-storage", "read-only": False})]
    return [*made, *_nodes(_VARIABLES, storage, _format(nvram), read_only=False)]


def _nodes(name: str, storage: Props, image_format: str, *, read_only: bool) -> list[Blockdev]:
    below: Props = {**storage, "node-name": f"{name}-storage", "auto-read-only": True, "discard": "unmap"}
    layer: Props = {
        "node-name": f"{name}-format",
        "read-only": read_only,
        "driver": image_format,
        "file": f"{name}-storage",
    }
    if image_format == "qcow2":
        layer["backing"] = None
    return [Blockdev(below), Blockdev(layer)]
