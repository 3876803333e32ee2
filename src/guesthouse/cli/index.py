"""Which module of `guesthouse.cli.commands` holds which command, so that one command loads one module.

A test holds this table against the modules' own records.
"""

from __future__ import annotations

#: Module to the names of its commands, in the order of the modules' own tables.
MODULES: dict[str, tuple[str, ...]] = {
    "doctor": ("doctor",),
    "domain_attach": (
        "attach-device",
        "attach-disk",
        "attach-interface",
    ),
    "domain_console": ("console",),
    "domain_definition": (
        "desc",
        "dumpxml",
        "edit",
        "metadata",
    ),
    "domain_detach": (
        "detach-device",
        "detach-device-alias",
        "detach-disk",
        "detach-interface",
    ),
    "domain_devices": (
        "domblklist",
        "domif-getlink",
        "domiflist",
        "domdisplay",
        "ttyconsole",
        "vncdisplay",
    ),
    "domain_event": ("event",),
    "domain_figures": ("domblkerror", "domblkinfo", "domblkstat", "domifaddr", "domifstat", "dommemstat"),
    "domain_identity": (
        "domid",
        "domname",
        "domuuid",
    ),
    "domain_interfaces": ("domif-setlink", "domiftune"),
    "domain_jobs": (
        "domjobabort",
        "domjobinfo",
    ),
    "domain_lifecycle": (
        "autostart",
        "create",
        "define",
        "destroy",
        "dompmwakeup",
        "domrename",
        "reboot",
        "reset",
        "resume",
        "shutdown",
        "start",
        "suspend",
    ),
    "domain_list": ("list",),
    "domain_monitor": (
        "domcontrol",
        "domhostname",
        "dominfo",
        "domstate",
        "domtime",
    ),
    "domain_native": ("domxml-to-native",),
    "domain_plan": ("plan",),
    "domain_screen": (
        "inject-nmi",
        "screenshot",
        "send-key",
    ),
    "domain_stats": ("domstats",),
    "domain_undefine": ("undefine",),
    "domain_update": (
        "change-media",
        "update-device",
        "update-memory-device",
    ),
    "domain_watching": ("domblkthreshold", "domdirtyrate-calc"),
    "domain_vcpu": (
        "schedinfo",
        "setvcpus",
        "vcpucount",
        "vcpuinfo",
    ),
    "host_capabilities": (
        "capabilities",
        "cpu-baseline",
        "cpu-compare",
        "cpu-models",
        "domcapabilities",
        "hypervisor-cpu-baseline",
        "hypervisor-cpu-compare",
        "hypervisor-cpu-models",
    ),
    "host_info": (
        "freecell",
        "hostname",
        "maxvcpus",
        "nodecpumap",
        "nodecpustats",
        "nodeinfo",
        "nodememstats",
        "nodesevinfo",
        "sysinfo",
        "uri",
        "version",
    ),
    "qemu_passthrough": (
        "qemu-agent-command",
        "qemu-monitor-command",
    ),
    "shell_itself": (
        "cd",
        "echo",
        "exit",
        "help",
        "pwd",
        "quit",
        "connect",
        "complete",
        "__complete",
        "completion",
    ),
    "xml_validate": ("xml-validate",),
}

#: Command name to module.
MODULE_OF: dict[str, str] = {name: module for module, names in MODULES.items() for name in names}
