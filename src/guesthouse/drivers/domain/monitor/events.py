"""What QEMU tells by itself, and what follows from it: a table from the event's name to what is done.

Events that follow from our own commands (STOP after `stop`) are heard here too; `run.pause_as` says what they mean.

Source: QEMU's `qapi/run-state.json`, `misc.json`, `block-core.json`, `char.json`, `ui.json`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from guesthouse.drivers.domain.agent import channel
from guesthouse.drivers.domain.announcements import EventId
from guesthouse.drivers.domain.block_jobs import settling as block_jobs
from guesthouse.drivers.domain.devices import alias_of_disk, alias_of_qom_path
from guesthouse.drivers.domain.disks import io_errors
from guesthouse.drivers.domain.dumps import crash
from guesthouse.drivers.domain.files import statusfile
from guesthouse.drivers.domain.guest import Guest
from guesthouse.drivers.domain.hotplug import release
from guesthouse.drivers.domain.lifecycle import power
from guesthouse.drivers.domain.lifecycle.power import change
from guesthouse.drivers.domain.memory import devices as memory_devices
from guesthouse.drivers.domain.monitor import devices
from guesthouse.drivers.domain.run import Run
from guesthouse.drivers.domain.states import Cause, State
from guesthouse.qemu.json_value import Json, JsonObject, encode, text_of
from guesthouse.qemu.qmp import Event

if TYPE_CHECKING:
    from guesthouse.drivers.domain.guests import Guests

Reaction = Callable[["Guests", Guest, Run, JsonObject], None]

#: `virDomainEventWatchdogAction` by QEMU's action.
_WATCHDOG = {"none": 0, "pause": 1, "reset": 2, "poweroff": 3, "shutdown": 4, "debug": 5, "inject-nmi": 6}

#: `virDomainEventIOErrorAction` by QEMU's action.
_IO_ERROR = {"ignore": 0, "stop": 1, "report": 2}

_GRAPHICS_FAMILY = {"ipv4": 0, "ipv6": 1, "unix": 2}
_CONNECT, _INITIALIZE, _DISCONNECT = range(3)


#: What ACPI's `_OST` is about when a device is to be ejected, and the answers that mean no (ACPI 6.3, 6.3.5).
_EJECTION = (0x3, 0x103)
_REFUSALS = (0x1, 0x80, 0x81, 0x82, 0x83)


def hear(driver: Guests, guest: Guest, run: Run, event: Event) -> None:
    """React to an event of this run's QEMU."""
    if run.ended.is_set() or guest.run is not run:
        return
    driver.events.publish_monitor(
        guest, event.name, event.seconds, event.microseconds, lambda: encode(event.data).decode()
    )
    reaction = _REACTIONS.get(event.name)
    if reaction is not None:
        reaction(driver, guest, run, event.data)


def _stop(driver: Guests, guest: Guest, run: Run, _: JsonObject) -> None:
    if run.booted and not run.restarting and guest.state is State.RUNNING:
        change(driver, guest, run, run.pause_as)


def _resume(driver: Guests, guest: Guest, run: Run, _: JsonObject) -> None:
    if run.booted:
        change(driver, guest, run, Cause.RESUMED_BY_QEMU)


def _shutdown(driver: Guests, guest: Guest, run: Run, data: JsonObject) -> None:
    _tell_agent(run)
    by_guest = data.get("guest")
    power.shut_down(driver, guest, run, by_guest=by_guest if isinstance(by_guest, bool) else None)


def _tell_agent(run: Run) -> None:
    """The guest's agent is gone with its guest: whoever waits for its answer has it."""
    if run.agent is not None:
        run.agent.guest_ended()


def _reset(driver: Guests, guest: Guest, run: Run, _: JsonObject) -> None:
    _tell_agent(run)
    if run.booted:
        run.reboot_instead = False
        driver.events.publish(EventId.REBOOT, guest)


def _panicked(driver: Guests, guest: Guest, run: Run, _: JsonObject) -> None:
    crash.panicked(driver, guest, run)


def _suspend(driver: Guests, guest: Guest, run: Run, _: JsonObject) -> None:
    _tell_agent(run)
    if change(driver, guest, run, Cause.SLEEP):
        driver.events.publish(EventId.PMSUSPEND, guest)


def _suspend_disk(driver: Guests, guest: Guest, run: Run, _: JsonObject) -> None:
    _tell_agent(run)
    if change(driver, guest, run, Cause.SLEEP_TO_DISK):
        driver.events.publish(EventId.PMSUSPEND_DISK, guest)


def _wakeup(driver: Guests, guest: Guest, run: Run, _: JsonObject) -> None:
    if change(driver, guest, run, Cause.WAKE):
        driver.events.publish(EventId.PMWAKEUP, guest)


def _watchdog(driver: Guests, guest: Guest, run: Run, data: JsonObject) -> None:
    action = text_of(data, "action")
    driver.events.publish(EventId.WATCHDOG, guest, _WATCHDOG.get(action, 0))
    if action == "pause":
        change(driver, guest, run, Cause.WATCHDOG)
        if any(watchdog.action == "dump" for watchdog in run.live.devices.watchdogs):
            crash.of_watchdog(driver, guest, run)


def _io_error(driver: Guests, guest: Guest, run: Run, data: JsonObject) -> None:
    error = io_errors.heard(driver, run, data)
    action = text_of(data, "action")
    number = _IO_ERROR.get(action, 0)
    driver.events.publish(EventId.IO_ERROR, guest, error.path, error.alias, number)
    driver.events.publish(EventId.IO_ERROR_REASON, guest, error.path, error.alias, number, error.reason)
    if action == "stop":
        change(driver, guest, run, Cause.IO_ERROR)


def _rtc_change(driver: Guests, guest: Guest, run: Run, data: JsonObject) -> None:
    offset = _number(data, "offset")
    if run.live.clock.changed(offset):
        guest.changed()
        statusfile.save(driver, guest, run)
    driver.events.publish(EventId.RTC_CHANGE, guest, offset)


def _balloon_change(driver: Guests, guest: Guest, run: Run, data: JsonObject) -> None:
    kib = _number(data, "actual") // 1024
    run.balloon_kib = kib
    memory_devices.settle_balloon(run)
    guest.changed()
    driver.events.publish(EventId.BALLOON_CHANGE, guest, kib)


def _device_deleted(driver: Guests, guest: Guest, run: Run, data: JsonObject) -> None:
    alias = text_of(data, "device")
    if alias:
        release.heard(driver, guest, run, alias, gone=True)


def _device_unplug_failed(driver: Guests, guest: Guest, run: Run, data: JsonObject) -> None:
    alias = text_of(data, "device") or alias_of_qom_path(text_of(data, "path"))
    release.heard(driver, guest, run, alias, gone=False)


def _ejection_refused(driver: Guests, guest: Guest, run: Run, data: JsonObject) -> None:
    """ACPI's words for how the guest fared with a device: of interest is a memory module that it does not give up."""
    info = data.get("info")
    if not isinstance(info, dict) or info.get("slot-type") != "DIMM" or info.get("source") not in _EJECTION:
        return
    alias = text_of(info, "device")
    if alias and info.get("status") in _REFUSALS:
        release.heard(driver, guest, run, alias, gone=False)


def _tray_moved(driver: Guests, guest: Guest, run: Run, data: JsonObject) -> None:
    alias, _ = alias_of_disk(run.live, text_of(data, "id") or text_of(data, "device"))
    driver.events.publish(EventId.TRAY_CHANGE, guest, alias, 0 if data.get("tray-open") is True else 1)


def _port_changed(driver: Guests, guest: Guest, run: Run, data: JsonObject) -> None:
    channel.channel_changed(driver, guest, run, text_of(data, "id"), connected=data.get("open") is True)


def _graphics(phase: int) -> Reaction:
    def announce(driver: Guests, guest: Guest, run: Run, data: JsonObject) -> None:
        server, client = data.get("server"), data.get("client")
        if isinstance(server, dict) and isinstance(client, dict):
            subjects = [(name, text_of(client, name)) for name in ("x509_dname", "sasl_username") if name in client]
            driver.events.graphics(
                guest, phase, _end(server), _end(client), text_of(server, "auth"), [s for s in subjects if s[1]]
            )

    return announce


def _end(data: JsonObject) -> tuple[int, str, str]:
    family = _GRAPHICS_FAMILY.get(text_of(data, "family"), 0)
    return family, text_of(data, "host"), text_of(data, "service") or text_of(data, "port")


def _dumped(driver: Guests, guest: Guest, run: Run, data: JsonObject) -> None:
    run.dump_error = text_of(data, "error")


def _number(data: JsonObject, key: str) -> int:
    found: Json = data.get(key)
    return found if isinstance(found, int) else 0


_REACTIONS: dict[str, Reaction] = {
    "STOP": _stop,
    "RESUME": _resume,
    "SHUTDOWN": _shutdown,
    "RESET": _reset,
    "GUEST_PANICKED": _panicked,
    "SUSPEND": _suspend,
    "SUSPEND_DISK": _suspend_disk,
    "WAKEUP": _wakeup,
    "WATCHDOG": _watchdog,
    "BLOCK_IO_ERROR": _io_error,
    "RTC_CHANGE": _rtc_change,
    "BALLOON_CHANGE": _balloon_change,
    "MEMORY_DEVICE_SIZE_CHANGE": memory_devices.size_changed,
    "DEVICE_DELETED": _device_deleted,
    "DEVICE_UNPLUG_GUEST_ERROR": _device_unplug_failed,
    "ACPI_DEVICE_OST": _ejection_refused,
    "DEVICE_TRAY_MOVED": _tray_moved,
    "BLOCK_WRITE_THRESHOLD": devices.threshold_reached,
    "MEMORY_FAILURE": devices.memory_failed,
    "NIC_RX_FILTER_CHANGED": devices.filter_changed,
    "VSERPORT_CHANGE": _port_changed,
    "DUMP_COMPLETED": _dumped,
    "JOB_STATUS_CHANGE": block_jobs.heard,
    "VNC_CONNECTED": _graphics(_CONNECT),
    "VNC_INITIALIZED": _graphics(_INITIALIZE),
    "VNC_DISCONNECTED": _graphics(_DISCONNECT),
    "SPICE_CONNECTED": _graphics(_CONNECT),
    "SPICE_INITIALIZED": _graphics(_INITIALIZE),
    "SPICE_DISCONNECTED": _graphics(_DISCONNECT),
}
