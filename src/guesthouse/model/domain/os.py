"""What a guest boots and how: `<os>`.

Format: https://libvirt.org/formatdomain.html#operating-system-booting
"""

from __future__ import annotations

from typing import Final

from guesthouse.errors import UnsupportedConfigError, XmlError
from guesthouse.model.binding import attr, content, element, many, one, opt, opt_content, opt_leaf
from guesthouse.model.domain.devices.disk.source import PlainSource
from guesthouse.model.kinds import ABSOLUTE_PATH, PROSE, TEXT, YES_NO, integer, one_of

_FORMAT: Final = one_of("raw", "qcow2")


@element("type")
class OsType:
    """`machine` is QEMU's machine type; `kind` is `hvm`, the only one that QEMU has."""

    arch: str | None = opt(TEXT)
    machine: str | None = opt(TEXT)
    kind: str = content(TEXT)

    def parsed(self) -> None:
        """Refuse what only other hypervisors have."""
        if self.kind != "hvm":
            raise UnsupportedConfigError(f"os type '{self.kind}' is not supported", hint="QEMU guests are 'hvm'")


@element("feature")
class FirmwareFeature:
    """A feature that the chosen firmware must have, or must not have."""

    enabled: bool = attr(YES_NO)
    name: str = attr(one_of("enrolled-keys", "secure-boot"))


@element("firmware")
class FirmwareFeatures:
    """What the automatic choice of firmware has to heed, sorted by name."""

    features: list[FirmwareFeature] = many(FirmwareFeature)

    def wanted(self) -> dict[str, bool]:
        """Name to whether it must be there."""
        return {feature.name: feature.enabled for feature in self.features}


@element("loader")
class Loader:
    """The firmware's program: `rom` is loaded as `-bios`, `pflash` is mapped as flash memory."""

    readonly: bool | None = opt(YES_NO)
    secure: bool | None = opt(YES_NO)
    type: str | None = opt(one_of("rom", "pflash"))
    stateless: bool | None = opt(YES_NO)
    format: str | None = opt(_FORMAT)
    path: str | None = opt_content(ABSOLUTE_PATH)


@element("nvram")
class Nvram:
    """Where the firmware's variables are: made from `template` at the guest's first start.

    It is a file, whose `path` is the element's text, or with a `type` what the `source` says.
    """

    template: str | None = opt(ABSOLUTE_PATH)
    template_format: str | None = opt(_FORMAT, "templateFormat")
    type: str | None = opt(one_of("file", "block", "network"))
    format: str | None = opt(_FORMAT)
    text: str | None = opt_content(ABSOLUTE_PATH)
    source: PlainSource | None = one(PlainSource)

    def parsed(self) -> None:
        """Text or source, as the type says."""
        if self.type is None:
            if self.source is not None:
                raise XmlError("a <source> of <nvram> needs the attribute 'type'")
            return
        if self.source is None:
            raise XmlError("missing <source> of <nvram>", hint=f"type='{self.type}' needs one")
        self.text = None
        given = self.source.name
        self.source.settle(self.type)
        self.source.name = given  # without the number of a unit, which disks are given
        if self.source.slices is not None:
            raise UnsupportedConfigError("slices are not supported with NVRAM")
        if self.source.reservations is not None:
            raise UnsupportedConfigError("persistent reservations are not supported with NVRAM")
        if self.source.encryption is not None:
            raise UnsupportedConfigError("encryption is not supported with NVRAM")

    @property
    def path(self) -> str | None:
        """The file or block device; None where there is none yet, or where a server has the variables."""
        return self.text if self.source is None else self.source.path

    @property
    def file(self) -> str | None:
        """The file, which is made for the guest and can be removed with it; None for devices and servers."""
        return self.path if self.type in (None, "file") else None

    @property
    def local(self) -> bool:
        """Whether the variables are, or can be, on this host."""
        return self.type != "network"


@element("table")
class AcpiTable:
    """A file with an ACPI table that the guest gets beside QEMU's own."""

    type: str = attr(one_of("raw", "rawset", "slic", "msdm"))
    path: str = content(ABSOLUTE_PATH)


@element("acpi", omit_empty=True)
class AcpiTables:
    """Tables; of each kind but `raw` there may be one."""

    tables: list[AcpiTable] = many(AcpiTable)

    def parsed(self) -> None:
        """Look for a second one of a kind."""
        kinds = [table.type for table in self.tables if table.type != "raw"]
        for kind in kinds:
            if kinds.count(kind) > 1:
                raise XmlError(f"ACPI table type '{kind}' may only appear once")


@element("boot")
class BootDevice:
    """A class of devices to boot from; the order of the elements counts."""

    dev: str = attr(one_of("fd", "hd", "cdrom", "network"))


@element("bootmenu")
class BootMenu:
    """Whether the firmware offers a menu; `timeout` in milliseconds."""

    enable: bool | None = opt(YES_NO)
    timeout: int | None = opt(integer(0, 65535))

    def parsed(self) -> None:
        """Without a menu there is nothing to wait for."""
        if not self.enable:
            self.timeout = None


@element("bios")
class Bios:
    """BIOS on the serial line, and the milliseconds until it tries again when nothing boots (-1: never)."""

    use_serial: bool | None = opt(YES_NO, "useserial")
    reboot_timeout: int | None = opt(integer(-1, 65535), "rebootTimeout")


@element("smbios")
class SmbiosMode:
    """Where the guest's SMBIOS tables come from."""

    mode: str = attr(one_of("none", "emulate", "host", "sysinfo"))


@element("os")
class Os:
    """Firmware, kernel and boot order. `firmware` asks for an automatic choice of firmware."""

    firmware: str | None = opt(one_of("bios", "efi"))
    type: OsType | None = one(OsType)
    firmware_features: FirmwareFeatures | None = one(FirmwareFeatures)
    loader: Loader | None = one(Loader)
    nvram: Nvram | None = one(Nvram)
    kernel: str | None = opt_leaf(PROSE)
    initrd: str | None = opt_leaf(PROSE)
    cmdline: str | None = opt_leaf(PROSE)
    shim: str | None = opt_leaf(PROSE)
    dtb: str | None = opt_leaf(PROSE)
    acpi: AcpiTables | None = one(AcpiTables)
    boot: list[BootDevice] = many(BootDevice)
    bootmenu: BootMenu | None = one(BootMenu)
    bios: Bios | None = one(Bios)
    smbios: SmbiosMode | None = one(SmbiosMode)

    @property
    def machine(self) -> str:
        """The machine type; empty before completion where the document names none."""
        return (self.type.machine or "") if self.type else ""

    @property
    def arch(self) -> str:
        """The architecture, in libvirt's words; empty before completion where the document names none."""
        return (self.type.arch or "") if self.type else ""
