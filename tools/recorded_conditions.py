"""The conditions under which libvirt's tests recorded each document: its settings, its host's processor, its QEMU.

They stand in the test program beside the folder of documents, `qemuxmlconftest.c`, as statements in their order: a
setting holds for the tests that follow it. Only statements of that form are read; the others do not matter here.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final

from guesthouse.model.domain.devices.handed_files import HandedFiles
from guesthouse.model.domain.host_settings import HostSettings

#: What the test program's host has throughout.
_HOST: Final = HostSettings(
    vnc_tls_x509_cert_dir="/etc/pki/libvirt-vnc",
    vnc_sasl_dir="/etc/sasl2",
    spice_tls_x509_cert_dir="/etc/pki/libvirt-spice",
    spice_password="123456",
    spice_sasl_dir="/etc/sasl2",
    rdp_tls_x509_cert_dir="/etc/pki/libvirt-rdp",
    chardev_tls_x509_cert_dir="/etc/pki/libvirt-chardev",
    nbd_tls_x509_cert_dir="/etc/pki/libvirt-nbd",
    vxhs_tls_x509_cert_dir="/etc/pki/libvirt-vxhs",
    hugetlbfs_mount=((2048, "/dev/hugepages2M"), (1048576, "/dev/hugepages1G")),
)
#: The test program's names of settings that are no mere respelling of ours.
_NAMES: Final = {
    "nogfxAllowHostAudio": "nographics_allow_host_audio",
    "nbdTLSx509secretUUID": "nbd_tls_x509_secret_uuid",
    "vxhsTLSx509secretUUID": "vxhs_tls_x509_secret_uuid",
    "vncTLSx509secretUUID": "vnc_tls_x509_secret_uuid",
    "chardevTLSx509secretUUID": "chardev_tls_x509_secret_uuid",
    "vncTLSx509verify": "vnc_tls_x509_verify",
    "chardevTLSx509verify": "chardev_tls_x509_verify",
    "vxhsTLS": "vxhs_tls",
    "vncTLS": "vnc_tls",
    "vncSASL": "vnc_sasl",
    "spiceTLS": "spice_tls",
    "spiceSASL": "spice_sasl",
    "chardevTLS": "chardev_tls",
}
#: The test program's names of interrupt controllers.
_GIC: Final = {"NONE": None, "V2": (2,), "V3": (3,), "BOTH": (2, 3)}
#: The test program's names of what a QEMU may lack, to the devices that it then lacks.
_DEVICES: Final = {
    "PIIX3_USB_UHCI": "piix3-usb-uhci", "DEVICE_QEMU_XHCI": "qemu-xhci", "NEC_USB_XHCI": "nec-usb-xhci",
    "ICH9_USB_EHCI1": "ich9-usb-ehci1", "PCI_OHCI": "pci-ohci", "KVM": "",
}  # fmt: skip

_SETTING: Final = re.compile(r"driver\.config->(\w+)\s*=")
_TEXT: Final = re.compile(r'g_strdup\("([^"]*)"\)')
_FREED: Final = re.compile(r"VIR_FREE\(driver\.config->(\w+)\)")
_VARIABLE: Final = re.compile(r'g_setenv\("(\w+)", "([^"]*)", TRUE\)')
_UNSET: Final = re.compile(r'g_unsetenv\("(\w+)"\)')
_FILES: Final = re.compile(r'ARG_FD_GROUP, "([^"]+)", (true|false), \d+, ([0-9, ]+[0-9])')
_TEST: Final = re.compile(r'DO_TEST\w*\(\s*"([^"]+)"(.*)\)', re.DOTALL)
_ARCH: Final = re.compile(r'"(x86_64|aarch64|s390x|armv7l|ppc64|ppc|riscv64|loongarch64|sparc)"')


@dataclass(frozen=True, slots=True)
class Conditions:
    """What holds for one document: `host_cpu` is the processor model of a KVM host where it is not QEMU's own word.

    `without` are devices that its QEMU lacks; `migration` says that it is started to be migrated into. `gic` are the
    versions of Arm's interrupt controller that KVM has, where they are not QEMU's own word.
    """

    settings: HostSettings = _HOST
    host_cpu: str = ""
    without: frozenset[str] = frozenset()
    migration: str = ""
    files: dict[str, HandedFiles] = field(default_factory=dict)
    gic: tuple[int, ...] | None = None


@dataclass(slots=True)
class _Reader:
    settings: HostSettings = _HOST
    found: dict[tuple[str, str], Conditions] = field(default_factory=dict)

    def read(self, statement: str) -> None:
        if freed := _FREED.search(statement):
            self._set(freed[1], None)
        elif _SETTING.search(statement):
            text = _TEXT.search(statement)
            value = text[1] if text else statement.rpartition("=")[2].strip() in ("true", "1")
            for name in _SETTING.findall(statement):
                self._set(name, value)
        elif variable := _VARIABLE.search(statement):
            self._keep((*self.settings.environment, (variable[1], variable[2])))
        elif variable := _UNSET.search(statement):
            self._keep(tuple(item for item in self.settings.environment if item[0] != variable[1]))
        elif test := _TEST.search(statement):
            self._test(test[1], test[2])

    def _set(self, name: str, value: str | bool | None) -> None:
        ours = _NAMES.get(name) or re.sub(r"(?<!^)([A-Z])", r"_\1", name).lower()
        self.settings = replace(self.settings, **{ours: value})  # type: ignore[arg-type]  # by name

    def _keep(self, environment: tuple[tuple[str, str], ...]) -> None:
        self.settings = replace(self.settings, environment=environment)

    def _test(self, name: str, rest: str) -> None:
        if "abi-update" in rest or "ABI_UPDATE" in rest:
            return
        arch = _ARCH.search(rest)
        variant = re.search(r'ARG_CAPS_VARIANT, "([^"]+)"', rest)
        deleted = re.search(r"ARG_QEMU_CAPS_DEL,(.*?)QEMU_CAPS_LAST", rest, re.DOTALL)
        names = re.findall(r"QEMU_CAPS_(\w+)", deleted[1]) if deleted else []
        source = re.search(r'ARG_MIGRATE_FROM, "([^"]+)"', rest)
        gic = re.search(r"\bGIC_(NONE|V2|V3|BOTH)\b", rest)
        arch_name = "aarch64" if gic else "x86_64"
        key = (name, (arch[1] if arch else arch_name) + (variant[1] if variant else ""))
        host = re.search(r"ARG_CAPS_HOST_CPU_MODEL, QEMU_CPU_DEF_(\w+)", rest)
        nbdkit = "NBDKIT_CAPS_PLUGIN" in rest
        self.found.setdefault(key, Conditions(
            settings=replace(self.settings, storage_use_nbdkit=True) if nbdkit else self.settings,
            host_cpu=host[1].capitalize() if host else "",
            without=frozenset(_DEVICES[name] for name in names),
            migration=source[1] if source else "",
            files={name: _files(writable, numbers) for name, writable, numbers in _FILES.findall(rest)},
            gic=_GIC[gic[1]] if gic else None,
        ))  # fmt: skip


def _files(writable: str, numbers: str) -> HandedFiles:
    return HandedFiles(tuple(map(int, numbers.split(","))), writable=writable == "true")


def conditions(folder: Path) -> dict[tuple[str, str], Conditions]:
    """The conditions of the documents in a folder, by name and architecture with variant (`x86_64+amdsev`)."""
    program = folder.parent / "qemuxmlconftest.c"
    reader = _Reader()
    if program.exists():
        text = program.read_text()
        for statement in text[text.index('g_unsetenv("PIPEWIRE_RUNTIME_DIR")') :].split(";"):
            reader.read(statement)
    return reader.found
