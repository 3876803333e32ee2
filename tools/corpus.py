"""Measure the domain format against a folder of documents with their expected results, such as libvirt's test data.

The folder holds `NAME.xml` (a document), and beside it what libvirt makes of it on an architecture: the document that
it prints (`NAME.ARCH-latest.xml`), the command line (`NAME.ARCH-latest.args`), or the text of a refusal
(`NAME.ARCH-latest.err`). Unpack libvirt's source package and give its `tests/qemuxmlconfdata`::

    ./dev corpus DIR                  # one line of figures, then the names and texts of refusals by how often
    ./dev corpus DIR --show xml       # every document that is printed differently, as a diff
    ./dev corpus DIR --show argv      # every command line that differs
    ./dev corpus DIR --show refused   # every document that is refused, with the error
    ./dev corpus DIR --by-word        # the first words of names under which there are differences
    ./dev corpus DIR iothread numa    # only documents whose names contain one of these words

The host is the one that the results were recorded on, with its QEMU, processor, settings and firmware: see
`recorded_host.py`. `--arch` is one of the architectures in `tests/qemucapabilitiesdata`, perhaps with a variant
(`x86_64+amdsev`).
"""

from __future__ import annotations

import argparse
import collections
import difflib
import re
import shlex
import sys
import traceback
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from guesthouse.errors import LibvirtError
from guesthouse.model.binding import Style
from guesthouse.model.domain.addresses import usb
from guesthouse.model.domain.command_line import prepare, realise
from guesthouse.model.domain.complete import complete
from guesthouse.model.domain.context import definition_context
from guesthouse.model.domain.definition import Domain
from guesthouse.model.domain.document import format_domain, parse_domain
from guesthouse.model.domain.launch import LaunchContext
from tools.recorded_host import Host, feign

#: What every command line has and nobody compares: the launcher's part, and the environment of every program.
_LAUNCHER: Final = re.compile(r"charmonitor|id=monitor|masterKey0|\"id\":\"charmonitor\"|^-incoming ")
_EVERYWHERE: Final = re.compile(r"(LC_ALL|PATH|HOME|USER|LOGNAME|XDG_\w+)=")
_SAME: Final = (
    (re.compile(r"\bfd=\d+"), "fd=N"),
    (re.compile(r'"(\w*fds?)":"[\d:]+"'), r'"\1":"N"'),
    (re.compile(r"/dev/fdset/\d+"), "/dev/fdset/N"),
    (re.compile(r"set=\d+"), "set=N"),
    (re.compile(r"id=chrtpm,path=(/dev/test|.*/swtpm.sock)"), "id=chrtpm,path=N"),
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


#: A layer that reads the raw format, on all but the firmware's program: libvirt leaves it out with newer QEMUs, where
#: it cost nothing but speed, and Guesthouse with all.
_RAW_LAYER: Final = re.compile(
    r'-blockdev {"node-name":"(libvirt-(?!pflash0)\w+)-format","read-only":(true|false),'
    r'"driver":"raw","file":"\1-storage"}'
)
_WITHOUT_RAW_LAYERS: Final = (10, 0, 0)


def without_raw_layers(found: list[str]) -> list[str]:
    """The same words as if nothing stood between devices and raw images."""
    layers = {match[1]: match[2] for word in found if (match := _RAW_LAYER.fullmatch(word))}
    kept = [word for word in found if not _RAW_LAYER.fullmatch(word)]
    for name, read_only in layers.items():
        for number, word in enumerate(kept):
            if f'"node-name":"{name}-storage"' in word:
                word = word.replace('"auto-read-only":true,"discard":"unmap"', f'"read-only":{read_only}')
            kept[number] = re.sub(rf"\b{name}-format\b", f"{name}-storage", word)
    return kept


def expected(path: Path) -> list[str]:
    """The words of a recorded command line, after the variables of its environment that are its own."""
    argv = shlex.split(path.read_text().replace("\\\n", " "))
    first = next(number for number, word in enumerate(argv) if word.startswith("/"))
    own = (word for word in sorted(argv[:first]) if not _EVERYWHERE.match(word))
    return [*own, *words(argv[first:])]


def command_line(domain: Domain, launch: LaunchContext) -> list[str]:
    """The command line of a completed definition, after its environment."""
    prepare(domain, launch)
    for disk in domain.devices.disks:
        if disk.source is not None and (disk.device, disk.source.dev) == ("cdrom", "/dev/cdrom"):
            disk.source.host_cdrom = True  # the tests say that of this one path
    for graphics in domain.devices.graphics:
        first = 5900 if graphics.type == "vnc" else 5901
        ports = {"port": first, "tls_port": first + 1, "websocket": 5700}
        graphics.choose_ports(ports.__getitem__, launch.settings)
    made = realise(domain, launch)
    return [*(f"{name}={value}" for name, value in sorted(made.environment.items())), *words(made.argv)]


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


def _files(folder: Path, name: str, arch: str) -> tuple[Path, Path, Path]:
    """The recorded command line, document and refusal; each may be missing. `arch` may name a variant of QEMU."""
    base, plus, variant = arch.partition("+")
    stem = f"{name}.{base}-latest{plus}{variant}"
    return folder / f"{stem}.args", folder / f"{stem}.xml", folder / f"{stem}.err"


def judge(folder: Path, name: str, host: Host) -> Verdict:
    """Read, complete, print and realise one document, and compare."""
    verdict = Verdict(name)
    args, out, refusal = _files(folder, name, host.name)
    held = host.conditions(name)
    caps = host.qemu(held)
    try:
        domain = parse_domain((folder / f"{name}.xml").read_text())
        complete(domain, caps, defaults=host.defaults(held), kept=True)
        if out.exists():
            verdict.compared_xml = True
            wanted = out.resolve().read_text().splitlines()
            verdict.xml = _diff(wanted, format_domain(domain, Style(live=False, secure=True)).splitlines())
        if args.exists() or refusal.exists():
            usb.assign(domain, definition_context(domain, caps, host.defaults(held)))
            ours = command_line(domain, host.launch(domain, caps, held))
            verdict.wrongly_accepted = refusal.exists()
            if args.exists():
                verdict.compared_argv = True
                wanted = expected(args)
                if caps.version < _WITHOUT_RAW_LAYERS:
                    wanted = without_raw_layers(wanted)
                verdict.order = wanted != ours and sorted(wanted) == sorted(ours)
                verdict.argv = [] if verdict.order else _diff(wanted, ours)
    except LibvirtError as error:
        verdict.refused = str(error)
    except Exception:  # a crash is a finding, and the others are to be measured too
        verdict.refused = "CRASH " + traceback.format_exc().strip()[-600:]
    return verdict


def _names(folder: Path, arch: str, wanted: list[str]) -> Iterator[str]:
    names = {
        path.name.removesuffix(pattern.name.removeprefix("*"))
        for pattern in _files(folder, "*", arch)
        for path in folder.glob(pattern.name)
    }
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


def _by_word(verdicts: list[Verdict]) -> Iterator[str]:
    """A line for every first word of a name of whose documents not all are equal, the worst first."""
    groups: dict[str, list[Verdict]] = {}
    for one in verdicts:
        groups.setdefault(one.name.partition("-")[0], []).append(one)
    bad = {word: [one for one in group if one.refused or one.xml or one.argv] for word, group in groups.items()}
    for word, group in sorted(groups.items(), key=lambda item: -len(bad[item[0]])):
        if bad[word]:
            yield f"{len(bad[word]):4} of {len(group):3} {word}: {' '.join(one.name for one in bad[word])}"[:200]


def main() -> int:
    """Measure, and print what was asked for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("words", nargs="*", help="only documents whose names contain one of these")
    parser.add_argument("--arch", default="x86_64")
    parser.add_argument("--by-word", action="store_true", help="say which first words of names have differences")
    parser.add_argument("--show", choices=("xml", "argv", "refused", "accepted", "all"))
    options = parser.parse_intermixed_args()
    feign()
    host = Host(options.folder, options.arch)
    names = list(_names(options.folder, options.arch, options.words))
    refusals = {name for name in names if _files(options.folder, name, options.arch)[2].exists()}
    verdicts = [judge(options.folder, name, host) for name in names]
    show = options.show
    for one in verdicts:
        if show in ("refused", "all") and one.refused and one.name not in refusals:
            print(f"== {one.name}: {one.refused}")
        if show in ("xml", "all") and one.xml and one.name not in refusals:
            print(f"== {one.name}: printed differently", *one.xml, sep="\n  ")
        if show in ("argv", "all") and one.argv and one.name not in refusals:
            print(f"== {one.name}: another command line", *one.argv, sep="\n  ")
        if show in ("accepted", "all") and one.wrongly_accepted:
            wanted = _files(options.folder, one.name, options.arch)[2].read_text().strip()
            print(f"== {one.name}: accepted, but libvirt says: {wanted}")
    if options.by_word:
        print(*_by_word([one for one in verdicts if one.name not in refusals]), sep="\n")
    elif show is None:
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
