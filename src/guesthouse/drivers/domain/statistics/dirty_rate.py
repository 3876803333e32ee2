"""How fast the guest writes to its memory, as far as somebody had it measured."""

from __future__ import annotations

from typing import Final

from guesthouse.drivers.domain.guest import Guest
from guesthouse.drivers.domain.typed import INT, LLONG, STRING, Param
from guesthouse.qemu.json_value import as_int, objects, text_of

#: QEMU's status to `virDomainDirtyRateStatus`.
_STATUS: Final = {"unstarted": 0, "measuring": 1, "measured": 2}
_NEVER: Final = "unstarted"


def gather(guest: Guest, found: list[Param]) -> None:
    """`dirtyrate.*`: rates in MiB/s, the start in seconds of the epoch, the period in seconds."""
    told = guest.run.readings.dirty_rate if guest.run is not None else None
    status = text_of(told, "status") if told else _NEVER
    if not told or status == _NEVER:
        return
    found += (
        ("dirtyrate.calc_status", INT, _STATUS.get(status, 0)),
        ("dirtyrate.calc_start_time", LLONG, as_int(told.get("start-time", 0), "start-time")),
        ("dirtyrate.calc_period", INT, as_int(told.get("calc-time", 0), "calc-time")),
        ("dirtyrate.calc_mode", STRING, text_of(told, "mode") or "page-sampling"),
    )
    if status != "measured":
        return
    found.append(("dirtyrate.megabytes_per_second", LLONG, as_int(told.get("dirty-rate", 0), "dirty-rate")))
    for entry in objects(told.get("vcpu-dirty-rate") or [], "vcpu-dirty-rate"):
        number = as_int(entry.get("id", 0), "id")
        rate = as_int(entry.get("dirty-rate", 0), "dirty-rate")
        found.append((f"dirtyrate.vcpu.{number}.megabytes_per_second", LLONG, rate))
