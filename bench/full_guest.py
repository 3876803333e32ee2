"""A full document of a guest, as a management program writes it: everything that a large guest has."""

from __future__ import annotations

import uuid

_DISK = """    <disk type='file' device='disk'>
      <driver name='qemu' type='qcow2' cache='none' io='native' discard='unmap' iothread='{thread}'/>
      <source file='/var/lib/libvirt/images/{name}-{letter}.qcow2'/>
      <target dev='vd{letter}' bus='virtio'/>
      <iotune><total_iops_sec>5000</total_iops_sec></iotune>
      <serial>{name}-{letter}</serial>
    </disk>
"""
_CARD = """    <interface type='user'>
      <mac address='52:54:00:12:34:{number:02x}'/>
      <model type='virtio'/>
      <driver name='qemu' queues='1' rx_queue_size='512'/>
    </interface>
"""
_PIN = "    <vcpupin vcpu='{number}' cpuset='0-1'/>\n"
_CHANNEL = "    <channel type='unix'><target type='virtio' name='{name}'/></channel>\n"


def full_guest(name: str) -> str:
    """The document of a guest with this name."""
    disks = "".join(_DISK.format(name=name, letter=letter, thread=1 + place % 2) for place, letter in enumerate("abcd"))
    cards = "".join(_CARD.format(number=number) for number in range(3))
    pins = "".join(_PIN.format(number=number) for number in range(4))
    channels = "".join(_CHANNEL.format(name=port) for port in ("org.qemu.guest_agent.0", "com.example.one"))
    return f"""<domain type='qemu'>
  <name>{name}</name>
  <uuid>{uuid.uuid5(uuid.NAMESPACE_DNS, name)}</uuid>
  <title>A full guest</title>
  <description>Everything that a large guest has</description>
  <metadata><app:owner xmlns:app='https://example.com/app'>somebody</app:owner></metadata>
  <memory unit='GiB'>4</memory>
  <currentMemory unit='GiB'>2</currentMemory>
  <vcpu placement='static' current='2'>4</vcpu>
  <iothreads>2</iothreads>
  <cputune>
    <shares>2048</shares>
{pins}    <emulatorpin cpuset='0-1'/>
    <iothreadpin iothread='1' cpuset='0'/>
  </cputune>
  <sysinfo type='smbios'>
    <system><entry name='manufacturer'>Example</entry><entry name='product'>Guest</entry></system>
  </sysinfo>
  <os>
    <type arch='x86_64' machine='q35'>hvm</type>
    <bootmenu enable='yes' timeout='3000'/>
    <smbios mode='sysinfo'/>
  </os>
  <features><acpi/><apic/><pae/><vmcoreinfo state='on'/></features>
  <cpu mode='custom' match='exact' check='none'>
    <model fallback='forbid'>qemu64</model>
    <topology sockets='1' dies='1' clusters='1' cores='4' threads='1'/>
    <feature policy='disable' name='svm'/>
    <numa>
      <cell id='0' cpus='0-1' memory='2' unit='GiB'/>
      <cell id='1' cpus='2-3' memory='2' unit='GiB'/>
    </numa>
  </cpu>
  <clock offset='utc'>
    <timer name='rtc' tickpolicy='catchup'/><timer name='pit' tickpolicy='delay'/><timer name='hpet' present='no'/>
  </clock>
  <on_poweroff>destroy</on_poweroff>
  <on_reboot>restart</on_reboot>
  <on_crash>destroy</on_crash>
  <pm><suspend-to-mem enabled='no'/><suspend-to-disk enabled='no'/></pm>
  <devices>
    <emulator>/usr/bin/qemu-system-x86_64</emulator>
{disks}    <disk type='file' device='cdrom'><target dev='sda' bus='sata'/><readonly/></disk>
    <controller type='scsi' index='0' model='virtio-scsi'/>
    <controller type='usb' index='0' model='qemu-xhci' ports='15'/>
{cards}    <serial type='pty'><target port='0'/></serial>
    <console type='pty'><target type='serial' port='0'/></console>
{channels}    <input type='tablet' bus='usb'/>
    <graphics type='vnc' port='-1' autoport='yes' listen='127.0.0.1'/>
    <sound model='ich9'/>
    <video><model type='virtio' heads='1' primary='yes'/></video>
    <watchdog model='i6300esb' action='reset'/>
    <memballoon model='virtio'><stats period='5'/></memballoon>
    <rng model='virtio'><backend model='random'>/dev/urandom</backend></rng>
    <panic model='isa'/>
  </devices>
</domain>"""
