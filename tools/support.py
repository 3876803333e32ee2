"""Writes docs/support.md: every procedure, command and element of the domain format, and whether it works.

usage: support.py [--check]

The page is made from the tables that the program itself runs on: the protocol's procedures against the rows of the
drivers, virsh's commands against ours, the documented elements of the domain format against what the classes claim.
With `--check` nothing is written, and a page that is out of date is an error. The version in which something came to
work is kept from the page as it stands.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from guesthouse import __version__
from guesthouse.cli.registry import commands
from guesthouse.drivers.connect.procedures import TABLE as CONNECT_TABLE
from guesthouse.drivers.domain.procedures.table import TABLE as DOMAIN_TABLE
from guesthouse.drivers.interface.procedures import TABLE as INTERFACE_TABLE
from guesthouse.drivers.network.procedures import TABLE as NETWORK_TABLE
from guesthouse.drivers.nodedev.procedures import TABLE as NODEDEV_TABLE
from guesthouse.drivers.nwfilter.procedures import TABLE as NWFILTER_TABLE
from guesthouse.drivers.secret.procedures import TABLE as SECRET_TABLE
from guesthouse.drivers.storage.procedures import TABLE as STORAGE_TABLE
from guesthouse.model.binding import accepted_names, children_of, holds_any
from guesthouse.model.domain.definition import Domain
from guesthouse.rpc.procedure import Procedure
from guesthouse.rpc.programs import ADMIN, GUESTHOUSE, QEMU, REMOTE
from guesthouse.server.builtin import TABLE as BUILTIN_TABLE

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs/support.md"
DOMAIN_FORMAT = ROOT / "tools/data/domain-format.txt"
VIRSH_COMMANDS = ROOT / "tools/data/virsh-commands.txt"
WORKS, ABSENT, REFUSED, KEPT = "works", "not there yet", "refused by name", "kept, without effect"
#: What a definition may carry though nothing is done with it; docs/decisions/0007-kept-and-not-done.md has the reasons.
VOID = (
    *("domain/clock/timer/catchup", "domain/idmap", "domain/on_lockfailure"),
    *(f"domain/features/{name}" for name in ("hap", "pae", "privnet", "viridian")),
)


@dataclass(frozen=True, slots=True)
class Row:
    """One line of a table: what, and how it stands; `extra` is the cell between them."""

    name: str
    extra: str
    status: str


def procedure_rows(procedures: Iterable[Procedure], answered: set[Procedure]) -> list[Row]:
    """The procedures of one program. A message counts as working: whoever raises the event declares it."""
    return [
        Row(f"{one.number} {one.name}", one.since, WORKS if one in answered else ABSENT)
        for one in procedures
        if one.kind == "call"
    ]


def command_rows() -> list[Row]:
    """The commands of virsh, then ours that virsh has not."""
    ours = {command.name: command for command in commands()}
    theirs = [line.split("\t") for line in VIRSH_COMMANDS.read_text().splitlines() if not line.startswith("#")]
    known = {name for name, _ in theirs}
    rows = [Row(name, group, WORKS if name in ours else ABSENT) for name, group in theirs]
    extra = sorted(name for name, command in ours.items() if name not in known and not command.hidden)
    return rows + [Row(name, "Guesthouse's own", WORKS) for name in extra]


def claimed_classes() -> dict[str, set[type[object]]]:
    """Every element path that is bound to classes, with the classes."""
    found: dict[str, set[type[object]]] = {}

    def walk(cls: type[object], path: str, above: tuple[type[object], ...]) -> None:
        found.setdefault(path, set()).add(cls)
        for tag, child, _ in children_of(cls):
            if child is not None and child not in above:
                walk(child, f"{path}/{tag}", (*above, child))

    walk(Domain, "domain", (Domain,))
    return found


def claimed_paths() -> dict[str, set[str]]:
    """Every element path that the classes claim, with the attributes that they claim there."""
    claimed: dict[str, set[str]] = {}
    for path, classes in claimed_classes().items():
        for cls in classes:
            claimed.setdefault(path, set()).update(accepted_names(cls)[0])
            for tag, _, attributes in children_of(cls):
                claimed.setdefault(f"{path}/{tag}", set()).update(attributes)
            for tag in accepted_names(cls)[1]:
                claimed.setdefault(f"{path}/{tag}", set())
            for tag in holds_any(cls):
                claimed.setdefault(f"{path}/{tag}/*", set())
    return claimed


def element_rows() -> list[Row]:
    """The documented elements; a row names the attributes that are refused."""
    claimed = claimed_paths()
    rows = []
    for line in DOMAIN_FORMAT.read_text().splitlines():
        if line.startswith("#"):
            continue
        path, *attributes = line.replace("@", "").split()
        if path not in claimed:
            if path.rpartition("/")[0] in claimed or "/" not in path:
                rows.append(Row(f"`{path}`", "", REFUSED))
            continue
        missing = [name for name in attributes if name not in claimed[path]]
        note = "without " + ", ".join(f"`{name}`" for name in missing) if missing else ""
        void = any(path == name or path.startswith(f"{name}/") for name in VOID)
        rows.append(Row(f"`{path}`", note, KEPT if void else WORKS))
    return rows


def known_since() -> dict[str, str]:
    """Row name to the version in which the present page says that it came to work."""
    if not PAGE.exists():
        return {}
    found = re.findall(r"^\| (.+?) \|.*\| works \| (\S+) \|$", PAGE.read_text(), re.M)
    return dict(found)


def table(title: str, intro: str, second: str, rows: list[Row], since: dict[str, str]) -> str:
    """One section of the page."""
    done = sum(row.status == WORKS for row in rows)
    lines = [f"## {title}", "", f"{intro} {done} of {len(rows)} work.", ""]
    lines += [f"| name | {second} | state | since |", "|---|---|---|---|"]
    for row in rows:
        version = since.get(row.name, __version__) if row.status == WORKS else ""
        lines.append(f"| {row.name} | {row.extra} | {row.status} | {version} |")
    return "\n".join(lines)


def page() -> str:
    """The whole page."""
    tables = (
        *(BUILTIN_TABLE, CONNECT_TABLE, DOMAIN_TABLE, NETWORK_TABLE, NODEDEV_TABLE, NWFILTER_TABLE),
        *(SECRET_TABLE, STORAGE_TABLE, INTERFACE_TABLE),
    )
    answered, since = {procedure for one in tables for procedure in one}, known_since()
    unanswered = "A call that is not there yet is answered with code 3, as libvirt's drivers do."
    sections = [
        "# What works\n\nThis page is written by `./dev support` from the program's own tables; do not edit it.",
        table("Procedures: remote", unanswered, "libvirt", procedure_rows(REMOTE.procedures(), answered), since),
        table("Procedures: qemu", unanswered, "libvirt", procedure_rows(QEMU.procedures(), answered), since),
        table(
            "Procedures: guesthouse", "Our own.", "libvirt", procedure_rows(GUESTHOUSE.procedures(), answered), since
        ),
        table("Procedures: admin", "The admin socket.", "libvirt", procedure_rows(ADMIN.procedures(), answered), since),
        table("Commands", "`guest` has virsh's names.", "group", command_rows(), since),
        table(
            "The domain format",
            "What is refused is refused with an error that names it; of a refused element only the top is listed.",
            "limits",
            element_rows(),
            since,
        ),
    ]
    return "\n\n".join(sections) + "\n"


def main() -> None:
    """The command."""
    text = page()
    if "--check" in sys.argv[1:]:
        if not PAGE.exists() or PAGE.read_text() != text:
            sys.exit("support: docs/support.md is out of date; run `./dev support` and review the difference")
        return
    PAGE.write_text(text)
    print(f"support: wrote {PAGE.relative_to(ROOT)}")


if __name__ == "__main__":
    main()
