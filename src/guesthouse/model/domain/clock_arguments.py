"""The guest's clocks on QEMU's command line, and those that it cannot have.

Options: `-rtc` in QEMU's manual page; rules: https://libvirt.org/formatdomain.html#time-keeping.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Final

from guesthouse.errors import UnsupportedConfigError
from guesthouse.model.domain.clock import Clock, Timer
from guesthouse.model.domain.devices.base import DeviceContext
from guesthouse.model.domain.launch import LaunchContext
from guesthouse.model.qemu_capabilities import KVM

_TIME: Final = "%Y-%m-%dT%H:%M:%S"
#: 9999-12-31T23:59:59, the last second that can be written.
_LAST: Final = 253402300799
_TRACKS: Final = {"guest": "vm", "wall": "host", "realtime": "rt"}
_X86: Final = ("i686", "x86_64")


def clock_arguments(clock: Clock, launch: LaunchContext) -> list[str]:
    """`-rtc` and the policy of the interval timer."""
    rtc = clock.timer("rtc")
    parts = [f"base={_base(clock, launch.now)}"]
    if rtc is not None:
        if rtc.track in _TRACKS:
            parts.append(f"clock={_TRACKS[rtc.track]}")
        if rtc.tickpolicy == "catchup":
            parts.append("driftfix=slew")
    words = ["-rtc", ",".join(parts)]
    pit = clock.timer("pit")
    if pit is not None and pit.tickpolicy in (None, "delay", "discard") and launch.caps.has_device("kvm-pit"):
        words += ["-global", f"kvm-pit.lost_tick_policy={pit.tickpolicy or 'delay'}"]
    return words


def settle(clock: Clock, now: datetime) -> None:
    """Make the adjustment of a starting guest's clock one from UTC, which neither summer time nor a move changes."""
    if clock.offset == "variable" and clock.basis == "localtime":
        offset = now.astimezone().utcoffset() or timedelta()
        clock.adjustment = str(int(clock.adjustment or 0) + int(offset.total_seconds()))
        clock.basis = "utc"
    clock.adjustment0 = int(clock.adjustment or 0) if clock.offset == "variable" else None


def _base(clock: Clock, now: datetime) -> str:
    if clock.offset == "utc":
        return "utc"
    if clock.offset == "absolute":
        return datetime.fromtimestamp(clock.start or 0, UTC).strftime(_TIME)
    if clock.offset != "variable":
        return "localtime"
    return (now.astimezone(UTC) + timedelta(seconds=int(clock.adjustment or 0))).strftime(_TIME)


def check(clock: Clock, kind: str, ctx: DeviceContext) -> None:
    """Refuse timers that QEMU or this machine lacks; `kind` is the guest's type. Raises `UnsupportedConfigError`."""
    if clock.start is not None and clock.start > _LAST:
        raise UnsupportedConfigError(f"The maximum 'start' value for <clock offset='absolute'> is {_LAST}")
    for timer in clock.timers:
        if timer.name == "platform":
            raise UnsupportedConfigError(f"unsupported timer type (name) '{timer.name}'")
        if timer.mode not in (None, "auto"):
            raise UnsupportedConfigError(f"unsupported tsc timer mode '{timer.mode}'", hint="only 'auto' is there")
        if timer.name == "rtc":
            _check_rtc(timer)
        elif timer.name == "pit":
            if timer.tickpolicy == "merge" or (timer.tickpolicy == "catchup" and not ctx.qemu.has_device("kvm-pit")):
                raise UnsupportedConfigError(f"unsupported pit tickpolicy '{timer.tickpolicy}'")
        elif timer.name == "armvtimer":
            _check_arm(timer, kind, ctx)
        elif timer.present and ctx.arch not in _X86:
            if timer.name == "hpet":
                raise UnsupportedConfigError("hpet timer is not supported by this architecture")
            raise _not_here(timer, kind, ctx)


def _check_rtc(timer: Timer) -> None:
    if timer.track == "boot":
        raise UnsupportedConfigError(f"unsupported rtc timer track '{timer.track}'")
    if timer.tickpolicy not in (None, "delay", "catchup"):
        raise UnsupportedConfigError(f"unsupported rtc timer tickpolicy '{timer.tickpolicy}'")


def _check_arm(timer: Timer, kind: str, ctx: DeviceContext) -> None:
    virt = ctx.arch in ("aarch64", "armv7l") and (ctx.machine == "virt" or ctx.machine.startswith("virt-"))
    if ctx.accel != KVM or not virt:
        raise _not_here(timer, kind, ctx)
    if timer.present is False:
        raise UnsupportedConfigError(f"The '{timer.name}' timer can't be disabled")
    if timer.tickpolicy not in (None, "delay", "discard"):
        raise UnsupportedConfigError(f"The '{timer.name}' timer does not support tickpolicy '{timer.tickpolicy}'")


def _not_here(timer: Timer, kind: str, ctx: DeviceContext) -> UnsupportedConfigError:
    return UnsupportedConfigError(
        f"Configuring the '{timer.name}' timer is not supported for virtType={kind} arch={ctx.arch} "
        f"machine={ctx.machine} guests"
    )
