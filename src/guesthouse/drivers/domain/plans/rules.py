"""Which settings of a running guest can be changed, and by which command: one row a place of the definition.

A place is named as `guesthouse.model.domain.differences` names it, without what identifies its elements. What has no
row takes a restart. Source: the commands' own pages of virsh(1), the guide's section 8.9.3.
"""

from __future__ import annotations

import re
from typing import Final

from guesthouse.model.domain.differences import Difference

#: Pattern of the place to the command; `{new}` stands for the new value.
_ROWS: Final[tuple[tuple[str, str], ...]] = (
    (r"(title|description)", "desc --live"),
    (r"metadata(/.*)?", "metadata --live"),
    (r"currentMemory", "setmem {new} --live"),
    (r"vcpu/@current", "setvcpus {new} --live"),
    (r"vcpus/vcpu/@enabled", "setvcpu --live"),
    (r"iothreads", "iothreadadd or iothreaddel --live"),
    (r"iothreadids/iothread(/poll/.*|/@thread_pool_(min|max))?", "iothreadset --live"),
    (r"cputune/(shares|period|quota|global_\w+|emulator_(period|quota)|iothread_(period|quota))", "schedinfo --live"),
    (r"cputune/vcpupin(/.*)?", "vcpupin --live"),
    (r"cputune/emulatorpin(/.*)?", "emulatorpin --live"),
    (r"cputune/iothreadpin(/.*)?", "iothreadpin --live"),
    (r"memtune(/(hard_limit|soft_limit|swap_hard_limit))?", "memtune --live"),
    (r"blkiotune(/.*)?", "blkiotune --live"),
    (r"numatune/memory/@nodeset", "numatune --live"),
    (r"perf(/.*)?", "perf --live"),
    (r"on_poweroff|on_reboot|on_crash", "set-lifecycle-action --live"),
    (r"devices/memballoon/stats(/@period)?", "dommemstat --period --live"),
    (r"devices/disk/iotune(/.*)?", "blkdeviotune --live"),
    (r"devices/interface/link(/@state)?", "domif-setlink"),
    (r"devices/interface/bandwidth(/.*)?", "domiftune --live"),
    (r"devices/graphics/@(passwd|passwdValidTo|connected)", "update-device --live"),
    (r"devices/memory/target/requested", "update-memory-device --live"),
)
_COMPILED: Final = tuple((re.compile(pattern), command) for pattern, command in _ROWS)

#: What belongs to the disc and not to its drive.
_DISC: Final = re.compile(r"devices/disk/(@type|source(/.*)?|driver/@type|backingStore(/.*)?)")

#: What no change of a guest can touch, and what can be done instead.
IMPOSSIBLE: Final = {
    "name": "a definition with another name is another guest: use domrename while the guest is off",
    "uuid": "a definition with another UUID is another guest: give it the <uuid> of this one, or another name",
}


def command_for(difference: Difference, *, removable: bool) -> str | None:
    """The command that makes the change in a running guest, without the guest's name; None where there is none.

    `removable` says of a difference within a disk that its drive takes discs.
    """
    for pattern, command in _COMPILED:
        if pattern.fullmatch(difference.name):
            return command.format(new=difference.new or "")
    if removable and _DISC.fullmatch(difference.name):
        return "change-media --live"
    return None
