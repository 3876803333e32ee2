"""The details view of the Virtual Machine Manager without its windows: a program for the system's Python, under Xvfb.

`details_view.py URI` connects as virt-manager does, then reads one JSON object a line and answers each with one:

    {"guest": NAME, "call": METHOD, "with": {...}, "device": [KIND, NUMBER]}   a method of the guest (or of a device's)
    {"guest": NAME, "add": KIND, "with": {PROPERTY: VALUE}}                    what `Add Hardware` and `Finish` do
    {"guest": NAME, "remove": KIND}                                            what `Remove` does to the last of them

The answer is {"result": ...} or {"error": text}. Methods and device classes are virt-manager's own (`vmmDomain`,
`virtinst`); what its windows would have collected comes in `with`.
"""

# mypy: ignore-errors
# virt-manager has no types, and this runs under another Python than the checker's.
# ruff: noqa: E402 - where virt-manager's modules are has to be said before they are imported.

from __future__ import annotations

import json
import sys
from threading import Thread

sys.path.insert(0, "/usr/share/virt-manager")

import gi

for library, version in (("Gtk", "3.0"), ("Gdk", "3.0"), ("LibvirtGLib", "1.0")):
    gi.require_version(library, version)

import virtinst
from gi.repository import GLib, LibvirtGLib
from virtManager import config
from virtManager.lib.testmock import CLITestOptionsClass

config.vmmConfig.get_instance(virtinst.BuildConfig, CLITestOptionsClass([]))
for chart in ("disk", "net", "memory"):  # Edit > Preferences > Polling
    getattr(config.vmmConfig.get_instance(), f"set_stats_enable_{chart}_poll")(True)
from virtManager.connmanager import vmmConnectionManager

DEADLINE = 30

CLASSES = {
    "controller": virtinst.DeviceController,
    "disk": virtinst.DeviceDisk,
    "input": virtinst.DeviceInput,
    "interface": virtinst.DeviceInterface,
    "redirdev": virtinst.DeviceRedirdev,
    "smartcard": virtinst.DeviceSmartcard,
    "tpm": virtinst.DeviceTpm,
    "video": virtinst.DeviceVideo,
    "watchdog": virtinst.DeviceWatchdog,
}


def connect(uri):
    """An open connection of virt-manager's, with all guests known."""
    LibvirtGLib.init(None)
    LibvirtGLib.event_register()
    loop = GLib.MainLoop()
    conn = vmmConnectionManager.get_instance().add_conn(uri)
    # The engine asks for news in a thread of its own; there is no engine without windows.
    conn.schedule_priority_tick = lambda **asked: Thread(target=conn.tick_from_engine, kwargs=asked).start()
    conn.connect("open-completed", lambda _conn, error: loop.quit())
    conn.open()
    GLib.timeout_add_seconds(DEADLINE, loop.quit)
    loop.run()
    return conn


def settle():
    """Let virt-manager take notice of what came."""
    context = GLib.MainContext.default()
    while context.pending():
        context.iteration(False)


def guest_of(conn, name):
    """The guest, with its document read anew."""
    conn.tick_from_engine(pollvm=True, stats_update=True, force=True)
    settle()
    vm = next(vm for vm in conn.list_vms() if vm.get_name() == name)
    vm.ensure_latest_xml()
    vm.recache_from_event_loop()
    settle()
    return vm


def add(vm, kind, properties):
    """Build the device as the page of its kind does, plug it in if the guest runs, and keep it."""
    device = CLASSES[kind](vm.conn.get_backend())
    path = properties.pop("path", None)
    for name, value in properties.items():
        owner, _, last = name.rpartition(".")
        target = device
        for part in filter(None, owner.split(".")):
            target = getattr(target, part)
        setattr(target, last, value)
    if path is not None:
        device.set_source_path(path)
    if kind == "controller":
        number(vm, device)
    device.set_defaults(vm.get_xmlobj())
    if kind == "disk":
        device.sync_path_props()
        used = [disk.target for disk in vm.xmlobj.devices.disk]
        device.generate_target(used)
    device.validate()
    vm.attach_device(device)
    vm.add_device(device)
    return device.get_xml()


def number(vm, device):
    """As the page does: the next number of the type; the one controller for USB takes the place of what is there."""
    others = [one for one in vm.xmlobj.devices.controller if one.type == device.type]
    if device.type == "usb":
        for other in others:
            vm.remove_device(other)
    elif others:
        device.index = max(other.index for other in others) + 1


def remove(vm, kind):
    """Take the last device of the kind away."""
    vm.remove_device(getattr(vm.xmlobj.devices, kind)[-1])


def call(vm, method, arguments, device):
    """Call the method, with a device of the guest's first if one is named."""
    positional = []
    if device is not None:
        kind, number = device
        positional.append(getattr(vm.xmlobj.devices, kind)[number])
    return getattr(vm, method)(*positional, **arguments)


def answer(conn, asked):
    """What one line comes to."""
    vm = guest_of(conn, asked["guest"])
    if "add" in asked:
        result = add(vm, asked["add"], dict(asked.get("with", {})))
    elif "remove" in asked:
        result = remove(vm, asked["remove"])
    else:
        result = call(vm, asked["call"], asked.get("with", {}), asked.get("device"))
    settle()
    return result


def main():
    """Read and answer until the input ends."""
    conn = connect(sys.argv[1])
    print(json.dumps({"result": conn.get_uri()}), flush=True)
    for line in sys.stdin:
        try:
            told = {"result": answer(conn, json.loads(line))}
        except Exception as error:  # whatever a window would have shown
            told = {"error": f"{type(error).__name__}: {error}"}
        print(json.dumps(told, default=str), flush=True)


if __name__ == "__main__":
    main()
