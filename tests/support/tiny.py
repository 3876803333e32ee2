"""The tiny Linux guest that `./dev setup` builds, as domain definitions."""

from __future__ import annotations

from pathlib import Path

import pytest

FOLDER = Path(__file__).resolve().parent.parent.parent / ".cache/tiny"
KERNEL = FOLDER / "vmlinuz"
INITRD = FOLDER / "initrd.gz"
AGENT_INITRD = FOLDER / "initrd-agent.gz"

AGENT_CHANNEL = "<channel type='unix'><target type='virtio' name='org.qemu.guest_agent.0'/></channel>"


def tiny_xml(name: str, *, devices: str = "", agent: bool = False, memory: int = 192, extra: str = "") -> str:
    """A definition of the tiny guest under TCG: `devices` goes into `<devices>`, `extra` before it."""
    if not KERNEL.exists():
        pytest.skip("the tiny guest is not built (./dev setup builds it)")
    return f"""<domain type='qemu'>
  <name>{name}</name>
  <memory unit='MiB'>{memory}</memory>
  <vcpu>1</vcpu>
  <os>
    <type arch='x86_64' machine='q35'>hvm</type>
    <kernel>{KERNEL}</kernel>
    <initrd>{AGENT_INITRD if agent else INITRD}</initrd>
    <cmdline>console=ttyS0 quiet</cmdline>
  </os>
  <features><acpi/><apic/></features>
  {extra}
  <devices>
    <serial type='pty'><target port='0'/></serial>
    <console type='pty'><target type='serial' port='0'/></console>
    {AGENT_CHANNEL if agent else ""}
    {devices}
  </devices>
</domain>
"""
