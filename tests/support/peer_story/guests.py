"""The definitions of the story's guests."""

from __future__ import annotations

from pathlib import Path

UUID = "6e4f2f9e-4c6b-4f0e-9f5c-0000000000{:02x}"

AGENT = "<channel type='unix'><target type='virtio' name='org.qemu.guest_agent.0'/></channel>"

SERIAL = "<serial type='pty'><target port='0'/></serial>"


def blank(
    name: str, number: int, *, memory: int = 32, os: str = "", extra: str = "", devices: str = "", kind: str = "qemu"
) -> str:
    """A guest that finds nothing to boot."""
    return (
        f"<domain type='{kind}'><name>{name}</name><uuid>{UUID.format(number)}</uuid>"
        f"<memory unit='MiB'>{memory}</memory><vcpu>1</vcpu>"
        f"<os><type arch='x86_64' machine='pc-q35-10.0'>hvm</type>{os}</os>{extra}<devices>{devices}</devices></domain>"
    )


def tiny(name: str, number: int, kernel: Path, *, agent: bool = False, extra: str = "", devices: str = "") -> str:
    """The tiny Linux guest."""
    initrd = kernel.parent / ("initrd-agent.gz" if agent else "initrd.gz")
    boot = f"<kernel>{kernel}</kernel><initrd>{initrd}</initrd><cmdline>console=ttyS0 quiet</cmdline>"
    return blank(
        name, number, memory=192, os=boot, extra=f"<features><acpi/><apic/></features>{extra}",
        devices=f"{SERIAL}{AGENT if agent else ''}{devices}",
    )  # fmt: skip
