"""What the emulated TPM of a guest remembers: when it goes away with the guest.

Libvirt's rule: with the definition, or with the end of a transient guest, unless `persistent_state` or the client says
otherwise. What a guest had in a directory or a file that its definition names is removed file by file.

What the client says of a guest that runs counts when that ends: the status file keeps it until then (`decide`).

Source: https://libvirt.org/formatdomain.html#tpm-device; virsh(1), `undefine --tpm`.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from guesthouse.model.domain.devices.tpm import Tpm

if TYPE_CHECKING:
    from guesthouse.model.domain.definition import Domain
    from guesthouse.places import Places

#: The files that swtpm keeps in a directory.
_FILES = (
    "tpm2-00.permall",
    "tpm2-00.volatilestate",
    "tpm-00.permall",
    "tpm-00.volatilestate",
    ".lock",
)


def to_remove(places: Places, domain: Domain, *, remove: bool = False, keep: bool = False) -> tuple[str, ...]:
    """The files and directories that go when the guest does; with `remove` and `keep` the client decides."""
    found: list[str] = []
    for tpm in domain.devices.tpms:
        backend = tpm.backend
        wanted = remove if backend.persistent_state else not keep
        if backend.fate is not None:
            wanted = backend.fate == "remove"
        if backend.type == "emulator" and wanted:
            found += _paths(places, domain, tpm)
    return tuple(found)


def decide(live: Domain, *, remove: bool, keep: bool) -> None:
    """Note in what runs what the client wants with its state, instead of what a former client wanted."""
    for tpm in live.devices.tpms:
        tpm.backend.fate = "remove" if remove else "keep" if keep else None


def _paths(places: Places, domain: Domain, tpm: Tpm) -> list[str]:
    source = tpm.backend.source
    if source is None or source.path is None:
        return [str(places.tpm_state / domain.uuid)]
    if source.type == "file":
        return [source.path]
    return [str(Path(source.path) / name) for name in _FILES]
