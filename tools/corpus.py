"""Measure the domain format against a folder of documents with their expected results, such as libvirt's test data.

The folder holds `NAME.xml` (a document), and beside it what libvirt makes of it on an architecture: the document that
it prints (`NAME.ARCH-latest.xml`), the command line (`NAME.ARCH-latest.args`), or the text of a refusal
(`NAME.ARCH-latest.err`). Unpack libvirt's source package and give its `tests/qemuxmlconfdata`::

    ./dev corpus DIR                  # one line of figures, then the names and texts of refusals by how often
    ./dev corpus DIR --show xml       # every document that is printed differently, as a diff
    ./dev corpus DIR --show argv      # every command line that differs
    ./dev corpus DIR --show refused   # every document that is refused, with the error
    ./dev corpus DIR iothread numa    # only documents whose names contain one of these words

QEMU is taken to have every device: what is measured is the format, not this machine.
"""

from __future__ import annotations

import argparse
import collections
import difflib
import functools
import re
import shlex
import sys
import traceback
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from guesthouse.errors import LibvirtError
from guesthouse.model.binding import Style
from guesthouse.model.domain.command_line import prepare, realise
from guesthouse.model.domain.complete import complete
from guesthouse.model.domain.defaults import Defaults, FirmwareImage, FirmwareWish
from guesthouse.model.domain.definition import Domain
from guesthouse.model.domain.document import format_domain, parse_domain
from guesthouse.model.domain.launch import LaunchContext
from guesthouse.model.qemu_capabilities import KVM, TCG, CpuModel, Machine, QemuCapabilities
from guesthouse.model.qemu_objects import FdSet
from guesthouse.qemu import firmware

_DEFAULT_MACHINES: Final = {
    "x86_64": ("pc", "q35"),
    "i686": ("pc", "q35"),
    "aarch64": ("virt",),
    "armv7l": ("virt",),
    "s390x": ("s390-ccw-virtio",),
}
_DEFAULT_CPU: Final = {"x86_64": "qemu64", "i686": "qemu32", "aarch64": "cortex-a15", "s390x": "qemu"}
_EMULATOR: Final = {"i686": "i386", "armv7l": "arm"}


class _Everything(frozenset[str]):
    """Has every name."""

    def __contains__(self, _name: object) -> bool:
        return True


class _EveryKey(dict[str, frozenset[str]]):
    """Has every name under every key."""

    def get(self, _key: str, _default: object = None) -> frozenset[str]:
        return _Everything()

    def __contains__(self, _key: object) -> bool:
        return True


class _EveryMachine(dict[str, Machine]):
    """Knows every machine type."""

    def get(self, key: str, _default: object = None) -> Machine:
        return dict.get(self, key) or Machine(
            key, max_cpus=4096, default_ram_id="pc.ram", acpi=True, default_cpu="qemu64"
        )

    def __contains__(self, _key: object) -> bool:
        return True


def capabilities(arch: str) -> QemuCapabilities:
    """A QEMU 10.0 for guests of `arch` that has every device and property."""
    machines = _EveryMachine()
    # The recorded results keep the short names of machine types, as if they were no aliases.
    for number, name in enumerate(_DEFAULT_MACHINES.get(arch, _DEFAULT_MACHINES["x86_64"])):
        machines[name] = Machine(
            name,
            "",
            4096,
            _DEFAULT_CPU.get(arch, "qemu64"),
            hotpluggable_cpus=True,
            default_ram_id={"aarch64": "mach-virt.ram", "s390x": "s390.ram"}.get(arch, "pc.ram"),
            default=number == 0,
            acpi=True,
        )
    return QemuCapabilities(
        binary=f"/usr/bin/qemu-system-{_EMULATOR.get(arch, arch)}",
        version=(10, 0, 0),
        package="",
        arch=arch,
        kvm=True,
        machines=machines,
        devices=_Everything(),
        device_properties=_EveryKey(),
        objects=_Everything(),
        object_properties=_EveryKey(),
        commands=_Everything(),
        options={"chardev": frozenset(("reconnect-ms",))},
        cpu_models={KVM: (CpuModel("qemu64"),), TCG: (CpuModel("qemu64"),)},
        cpu_expansions={},
        tpm_models=("tpm-tis", "tpm-crb", "tpm-spapr"),
        tpm_backends=("emulator", "passthrough"),
    )


@functools.cache
def firmware_of(folder: Path) -> Callable[[FirmwareWish], FirmwareImage | None]:
    """The choice among the firmware descriptors that the recorded results were made with."""
    data = folder.parent / "qemufirmwaredata"
    return firmware.chooser(firmware.read([data / "etc/qemu/firmware", data / "usr/share/qemu/firmware"]))


#: What every command line has and nobody compares: the launcher's part.
_LAUNCHER: Final = re.compile(r"charmonitor|id=monitor|masterKey0|\"id\":\"charmonitor\"")
_SAME: Final = (
    (re.compile(r"\bfd=\d+"), "fd=N"),
    (re.compile(r'"fd":"\d+"'), '"fd":"N"'),
    (re.compile(r"/dev/fdset/\d+"), "/dev/fdset/N"),
    (re.compile(r"set=\d+"), "set=N"),
    (re.compile(r"fds=[\d:]+"), "fds=N"),
)


def words(argv: list[str]) -> list[str]:
    """The options of a command line, each with its value as one text, without the launcher's and with equal numbers."""
    found: list[str] = []
    rest = argv[1:]
    while rest:
        option = rest.pop(0)
        if rest and not rest[0].startswith("-"):
            option += " " + rest.pop(0)
        if not _LAUNCHER.search(option):
            for pattern, text in _SAME:
                option = pattern.sub(text, option)
            found.append(option)
    return found


def expected(path: Path) -> list[str]:
    """The words of a recorded command line, without its environment."""
    argv = shlex.split(path.read_text().replace("\\\n", " "))
    first = next(number for number, word in enumerate(argv) if word.startswith("/"))
    return words(argv[first:])


def fixed_seal(_value: bytes) -> tuple[str, str]:
    """The cipher and the vector of the recorded command lines, where no real key is."""
    return "9eao5F8qtkGt+seB1HYivWIxbtwUu6MQtg1zpj/oDtUsPr1q8wBYM91uEHCn6j/1", "AAECAwQFBgcICQoLDA0ODw=="


def command_line(domain: Domain, caps: QemuCapabilities) -> list[str]:
    """The command line of a completed definition, on a host like the one of the recorded ones."""
    name = domain.name
    launch = LaunchContext(
        caps,
        accel=KVM if domain.type == "kvm" else TCG,
        guest_dir=f"/var/lib/libvirt/qemu/domain--1-{name}",
        channel_dir=f"/var/run/libvirt/qemu/channel/-1-{name}",
        passt_dir="/var/run/libvirt/qemu/passt",
        short_name=f"-1-{name}",
        listen=lambda _path: 1729,
        secret=lambda _usage_type, _reference: b"",
        seal=fixed_seal,
        open_file=lambda _path, _append, purpose: FdSet(0, 1, purpose),
    )
    prepare(domain, launch)
    for graphics in domain.devices.graphics:
        graphics.port = 5900 if graphics.port == -1 else graphics.port
        graphics.websocket = 5700 if graphics.websocket == -1 else graphics.websocket
    return words(realise(domain, launch).argv)


@dataclass
class Verdict:
    """What became of one document. `refused` is the error, `xml` and `argv` the lines that differ."""

    name: str
    refused: str = ""
    xml: list[str] = field(default_factory=list)
    argv: list[str] = field(default_factory=list)
    order: bool = False
    compared_xml: bool = False
    compared_argv: bool = False
    wrongly_accepted: bool = False


def _diff(theirs: list[str], ours: list[str]) -> list[str]:
    lines = list(difflib.unified_diff(theirs, ours, lineterm="", n=0))[2:]
    return [line for line in lines if not line.startswith("@@")]


def judge(folder: Path, name: str, arch: str) -> Verdict:
    """Read, complete, print and realise one document, and compare."""
    verdict = Verdict(name)
    suffix = f".{arch}-latest"
    args, out, refusal = (folder / f"{name}{suffix}.{end}" for end in ("args", "xml", "err"))
    try:
        domain = parse_domain((folder / f"{name}.xml").read_text())
        caps = capabilities(arch)
        emulators = {guest: capabilities(guest).binary for guest in _DEFAULT_MACHINES}
        complete(domain, caps, defaults=Defaults(emulators=emulators, choose_firmware=firmware_of(folder)))
        if out.exists():
            verdict.compared_xml = True
            wanted = out.resolve().read_text().splitlines()
            verdict.xml = _diff(wanted, format_domain(domain, Style(live=False, secure=True)).splitlines())
        if args.exists() or refusal.exists():
            ours = command_line(domain, caps)
            verdict.wrongly_accepted = refusal.exists()
            if args.exists():
                verdict.compared_argv = True
                wanted = expected(args)
                verdict.order = wanted != ours and sorted(wanted) == sorted(ours)
                verdict.argv = [] if verdict.order else _diff(wanted, ours)
    except LibvirtError as error:
        verdict.refused = str(error)
    except Exception:  # a crash is a finding, and the others are to be measured too
        verdict.refused = "CRASH " + traceback.format_exc().strip()[-600:]
    return verdict


def _names(folder: Path, arch: str, wanted: list[str]) -> Iterator[str]:
    ends = tuple(f".{arch}-latest.{end}" for end in ("args", "xml", "err"))
    names = {path.name[: -len(end)] for end in ends for path in folder.glob(f"*{end}")}
    for name in sorted(names):
        if (not wanted or any(word in name for word in wanted)) and (folder / f"{name}.xml").exists():
            yield name


def _figures(verdicts: list[Verdict], expected_refusals: set[str]) -> str:
    good = [one for one in verdicts if one.name not in expected_refusals]
    xml = [one for one in good if one.compared_xml and not one.refused]
    argv = [one for one in good if one.compared_argv and not one.refused]
    same_xml = sum(not one.xml for one in xml)
    same_argv = sum(not one.argv for one in argv)
    both = sum(not one.refused and not one.xml and not one.argv for one in good)
    return (
        f"{len(good)} documents: {sum(not one.refused for one in good)} accepted; printed equal {same_xml} of "
        f"{len(xml)}; command line equal {same_argv} of {len(argv)} ({sum(one.order for one in argv)} in another "
        f"order); both {both} ({both / max(1, len(good)):.0%}); of {len(expected_refusals)} that libvirt refuses "
        f"{sum(one.wrongly_accepted for one in verdicts)} were accepted"
    )


def main() -> int:
    """Measure, and print what was asked for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("words", nargs="*", help="only documents whose names contain one of these")
    parser.add_argument("--arch", default="x86_64")
    parser.add_argument("--show", choices=("xml", "argv", "refused", "accepted", "all"))
    options = parser.parse_intermixed_args()
    names = list(_names(options.folder, options.arch, options.words))
    refusals = {name for name in names if (options.folder / f"{name}.{options.arch}-latest.err").exists()}
    verdicts = [judge(options.folder, name, options.arch) for name in names]
    show = options.show
    for one in verdicts:
        if show in ("refused", "all") and one.refused and one.name not in refusals:
            print(f"== {one.name}: {one.refused}")
        if show in ("xml", "all") and one.xml and one.name not in refusals:
            print(f"== {one.name}: printed differently", *one.xml, sep="\n  ")
        if show in ("argv", "all") and one.argv and one.name not in refusals:
            print(f"== {one.name}: another command line", *one.argv, sep="\n  ")
        if show in ("accepted", "all") and one.wrongly_accepted:
            wanted = (options.folder / f"{one.name}.{options.arch}-latest.err").read_text().strip()
            print(f"== {one.name}: accepted, but libvirt says: {wanted}")
    if show is None:
        reasons = collections.Counter(
            re.sub(r"line \d+|'[^']*'", "…", one.refused)[:150]
            for one in verdicts
            if one.refused and one.name not in refusals
        )
        for reason, count in reasons.most_common():
            print(f"{count:4} {reason}")
    print(_figures(verdicts, refusals))
    return 0


if __name__ == "__main__":
    sys.exit(main())
