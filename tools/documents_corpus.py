"""Measure the formats of documents other than guests: read each of a corpus, print it, and compare.

    python -m tools.documents_corpus FOLDER [WORD...] [--show]

FOLDER holds folders of documents, such as libvirt's tests: NAMExml2xmlin with the documents, and NAMExml2xmlout with
what is printed of them; where that folder is missing, documents are compared with themselves. Words select folders or
documents by parts of their names.

Not compared is what is made up where a document has none: UUIDs, and of snapshots, checkpoints and backups the name,
the time, the parent, the guest, and what becomes of disks that it does not say anything about.
"""

from __future__ import annotations

import argparse
import difflib
import re
import sys
import traceback
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from guesthouse.errors import LibvirtError
from guesthouse.model.documents import kind_of

#: Folder of documents to the folder of what is printed of them.
FOLDERS: Final[dict[str, str]] = {
    "networkxml2xmlin": "networkxml2xmlout",
    "virnetworkportxml2xmldata": "",
    "nwfilterxml2xmlin": "nwfilterxml2xmlout",
    "virnwfilterbindingxml2xmldata": "",
    "interfaceschemadata": "",
    "nodedevschemadata": "nodedevxml2xmlout",
    "secretxml2xmlin": "",
    "qemudomainsnapshotxml2xmlin": "qemudomainsnapshotxml2xmlout",
    "qemudomainsnapshotxml2xmlout": "",
    "qemudomaincheckpointxml2xmlin": "qemudomaincheckpointxml2xmlout",
    "qemudomaincheckpointxml2xmlout": "",
    "domainbackupxml2xmlin": "domainbackupxml2xmlout",
    "domainbackupxml2xmlout": "",
    "storagepoolxml2xmlin": "storagepoolxml2xmlout",
    "storagevolxml2xmlin": "storagevolxml2xmlout",
    "vircaps2xmldata": "",
    "domaincapsdata": "",
    "storagepoolcapsschemadata": "",
    "capabilityschemadata": "",
    "qemucaps2xmloutdata": "",
}

#: Folders of results whose other documents are read too: those that describe what is there.
_READ_TOO: Final = {
    "qemudomainsnapshotxml2xmlout": "qemudomainsnapshotxml2xmlin",
    "qemudomaincheckpointxml2xmlout": "qemudomaincheckpointxml2xmlin",
}

_UUID: Final = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


@dataclass(slots=True)
class Count:
    """What became of the documents of a folder."""

    documents: int = 0
    read: int = 0
    compared: int = 0
    equal: int = 0
    findings: list[str] = field(default_factory=list)


def _lines(text: str, known: set[str]) -> list[str]:
    """The lines, without UUIDs that were not `known` from the document, XML's declaration and empty lines."""
    body = re.sub(r"<\?xml.*?\?>|<!--.*?-->", "", text, flags=re.DOTALL)
    body = _UUID.sub(lambda found: found[0] if found[0] in known else "UUID", body)
    return [line.rstrip() for line in body.replace('"', "'").splitlines() if line.strip()]


#: What the making of a snapshot, a checkpoint or a backup adds to a document, where that says nothing about it.
_MADE: Final = (
    ("<parent>", r"<parent>\s*<name>[^<]*</name>\s*</parent>"),
    ("<name>", r"<name>\d+</name>"),
    ("<creationTime>", r"<creationTime>\d+</creationTime>"),
    ("<domain>", r"<domain>\s*<uuid>[^<]*</uuid>\s*</domain>"),
    ("<disks>", r"<disks>.*</disks>"),
    ("bitmap=", r" bitmap='[^']*'( size='\d+')?"),
    ("size=", r" size='\d+'"),
    ("backupmode=", r" backupmode='[^']*'"),
    (" incremental=", r" incremental='[^']*'"),
    ("backup='no'", r"<disk name='[^']*' backup='no'/>"),
)


def _without_made(text: str, wanted: str) -> str:
    """What was recorded, without what is not in the document."""
    if not re.search("<domain(snapshot|checkpoint|backup)", text):
        return wanted
    for sign, made in _MADE:
        if sign not in text:
            wanted = re.sub(made, "", wanted, flags=re.DOTALL)
    return wanted


def judge(document: Path, result: Path, count: Count) -> None:
    """Read and print one document, and compare."""
    text = document.read_text()
    count.documents += 1
    kind = kind_of(text)
    try:
        if kind is None:
            raise LibvirtError("nobody knows this root element")
        printed = kind.printed(text)
    except LibvirtError as error:
        count.findings.append(f"== {document.name}: {error}")
        return
    except Exception:  # a crash is a finding, and the others are to be measured too
        count.findings.append(f"== {document.name}: CRASH {traceback.format_exc()[-800:]}")
        return
    count.read += 1
    known = {found[0].lower() for found in _UUID.finditer(text)}
    if not result.exists():
        return
    count.compared += 1
    wanted = _lines(_without_made(text, result.read_text()), known)
    ours = _lines(printed, known)
    if wanted == ours:
        count.equal += 1
    else:
        difference = list(difflib.unified_diff(wanted, ours, lineterm="", n=1))[2:]
        count.findings.append("\n  ".join([f"== {document.name}: printed differently", *difference]))


def _documents(folder: Path, words: list[str]) -> Iterator[Path]:
    for path in sorted(folder.glob("*.xml")):
        if folder.name in _READ_TOO and (folder.parent / _READ_TOO[folder.name] / path.name).exists():
            continue
        if not words or any(word in path.name or word in folder.name for word in words):
            yield path


def main() -> int:
    """Measure, and print the figures of each folder."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("words", nargs="*", help="only folders and documents whose names contain one of these")
    parser.add_argument("--show", action="store_true", help="show refusals and differences")
    options = parser.parse_intermixed_args()
    for name, results in FOLDERS.items():
        count = Count()
        for document in _documents(options.folder / name, options.words):
            judge(document, options.folder / (results or name) / document.name, count)
        if options.show:
            print(*count.findings, sep="\n")
        if count.documents:
            figures = f"{count.read} read, {count.equal} of {count.compared} printed equal"
            print(f"{name}: {count.documents} documents, {figures}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
