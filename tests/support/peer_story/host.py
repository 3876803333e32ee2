"""What the connection and the host tell."""

from __future__ import annotations

import libvirt

from tests.support.peer_story.recorder import Recorder, shape, told

NOBODY = "6e4f2f9e-4c6b-4f0e-9f5c-ffffffffffff"


def connect(r: Recorder) -> None:
    """What the connection and the host tell."""
    c = r.conn
    for name in (
        "getVersion",
        "getType",
        "getHostname",
        "isAlive",
        "isEncrypted",
        "isSecure",
        "getInfo",
        "getCPUMap",
        "getCellsFreeMemory",
    ):
        r.do(
            name,
            getattr(c, name),
            *((0, 4) if name == "getCellsFreeMemory" else ()),
            see=shape if "Free" in name else told,
        )
    r.do("getCellsFreeMemory from 3", c.getCellsFreeMemory, 3, 1)
    r.do("getLibVersion", c.getLibVersion, see=shape)
    r.do("getFreeMemory", c.getFreeMemory, see=shape)
    r.all("getMaxVcpus", c.getMaxVcpus, ["kvm", "qemu", "xen", "", None])
    for cell in (-1, 0, 1, 99):
        r.do(f"getMemoryStats {cell}", c.getMemoryStats, cell, see=shape)
        r.do(f"getCPUStats {cell}", c.getCPUStats, cell, see=shape)
    r.do("getMemoryStats flags", c.getMemoryStats, -1, 4)
    r.do("getCPUStats flags", c.getCPUStats, -1, 4)
    r.do("getInfo type", c.getInfo, see=shape)
    for arch in ("x86_64", "i686", "aarch64", "ppc64", "riscv64", "s390x", "nonsense", ""):
        r.do(f"getCPUModelNames {arch}", c.getCPUModelNames, arch)
    r.do("getCPUModelNames flags", c.getCPUModelNames, "x86_64", 2)
    r.do("getCPUMap flags", c.getCPUMap, 2)
    r.do("getSysinfo", c.getSysinfo, see=shape)
    r.do("getSysinfo flags", c.getSysinfo, 2)
    r.do("getCapabilities", c.getCapabilities, see=shape)
    r.do("getFreePages", c.getFreePages, [4], 0, 1, see=shape)
    r.do("getFreePages bad size", c.getFreePages, [5], 0, 1)
    r.do("getFreePages bad cell", c.getFreePages, [4], 7, 1)
    r.do("getMemoryParameters", c.getMemoryParameters, see=shape)
    emulator = "/usr/bin/qemu-system-x86_64"
    for args in (
        (None, None, None, None),
        (emulator, None, None, None),
        (None, "x86_64", None, None),
        (None, "x86_64", "q35", "qemu"),
        (None, "x86_64", "pc", "qemu"),
        (None, "x86_64", "none-such", "qemu"),
        (None, "nonsense", None, None),
        (None, "aarch64", None, None),
        (None, None, None, "xen"),
        (None, None, None, "nonsense"),
        ("/bin/true", None, None, None),
        ("/no/such", None, None, None),
        (None, "x86_64", "q35", "kvm"),
        (None, "x86_64", None, "kvm"),
        (emulator, "i686", None, "qemu"),
        (None, "x86_64", "q35", "qemu", 8),
    ):
        r.do(f"getDomainCapabilities {args}", c.getDomainCapabilities, *args)
    cpu = "<cpu><arch>x86_64</arch><model>{}</model>{}</cpu>"
    good, other = cpu.format("Nehalem", ""), cpu.format("Westmere", "")
    for label, text in (
        ("good", good),
        ("unknown model", cpu.format("Nonsense", "")),
        ("not xml", "<cpu"),
        ("empty", ""),
        ("no arch", "<cpu><model>Nehalem</model></cpu>"),
        ("other root", "<domain/>"),
        ("bad arch", "<cpu><arch>nonsense</arch><model>Nehalem</model></cpu>"),
        ("foreign arch", "<cpu><arch>s390x</arch><model>Nehalem</model></cpu>"),
        ("bad feature", cpu.format("Nehalem", "<feature name='nonsense' policy='require'/>")),
    ):
        r.do(f"compareCPU {label}", c.compareCPU, text)
        r.do(f"compareCPU fail {label}", c.compareCPU, text, 1)
        r.do(f"baselineCPU {label}", c.baselineCPU, [text])
        r.do(f"compareHypervisorCPU {label}", c.compareHypervisorCPU, None, None, None, "qemu", text)
        r.do(f"baselineHypervisorCPU {label}", c.baselineHypervisorCPU, None, None, None, "qemu", [text])
    r.do("compareCPU flags", c.compareCPU, good, 8)
    r.do("baselineCPU two", c.baselineCPU, [good, other])
    r.do("baselineCPU flags", c.baselineCPU, [good], 8)
    r.do("baselineCPU both expand and migratable", c.baselineCPU, [good], 3, see=lambda value: shape(value))
    r.do("baselineCPU none", c.baselineCPU, [])
    r.do("compareHypervisorCPU bad type", c.compareHypervisorCPU, None, None, None, "nonsense", good)
    r.do("compareHypervisorCPU bad emulator", c.compareHypervisorCPU, "/bin/true", None, None, "qemu", good)
    r.do("compareHypervisorCPU foreign arch", c.compareHypervisorCPU, None, "aarch64", None, "qemu", good)
    for arguments in (
        "version",
        "nodeinfo",
        "maxvcpus",
        "sysinfo --bad",
        "cpu-models x86_64",
        "freecell 9",
        "nodecpumap",
        "nodecpustats --cpu 9",
        "nodememstats --cell 9",
        "list --all --bad",
        "domcapabilities --arch bad",
        "dominfo nobody",
        "domid nobody",
        f"domname {NOBODY}",
    ):
        r.virsh(*arguments.split())
    for label, uri in (
        ("nowhere", "qemu+unix:///nowhere"),
        ("xen", "xen:///system"),
        ("session", "qemu+unix:///session"),
        ("test", "test+unix:///default"),
        ("empty", "unix:///"),
        ("vbox", "vbox+unix:///session"),
    ):
        query = r.uri.partition("?")[2]
        full = f"{uri}{'&' if '?' in uri else '?'}{query}"
        r.do(f"open {label}", lambda full=full: libvirt.open(full).getType())
    r.do("features", lambda: [c.getVersion(), c.isAlive()])
    r.do("setKeepAlive", c.setKeepAlive, 5, 3)
    r.do("setKeepAlive off", c.setKeepAlive, 0, 0)
