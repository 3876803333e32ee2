"""Documents that a host only tells, and nobody sends: what may stand in them.

There are no classes for them, as nobody works with them once they are made. A table has a line for each element: its
attributes with `@`, after the colon its children, and `text` for an element with text. The name of an element that
means several things has the one around it before it.

Formats: https://libvirt.org/formatcaps.html, https://libvirt.org/formatdomaincaps.html,
https://libvirt.org/formatstoragecaps.html, https://libvirt.org/formatdomain.html#smbios-system-information and, for
what a search for pools finds, https://libvirt.org/formatstorage.html#source-elements.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from lxml import etree

from guesthouse.errors import UnsupportedConfigError
from guesthouse.model.binding import Reading
from guesthouse.model.xmltext import parse_any

_CAPABILITIES: Final = """
capabilities: host guest
host: uuid cpu power_management iommu migration_features topology cache memory_bandwidth secmodel
uuid: text
host/cpu: arch model vendor microcode maxphysaddr signature counter topology features feature pages
cpu/arch: text
cpu/model @fallback: text
cpu/vendor: text
microcode @version
maxphysaddr @mode @bits
signature @family @model @stepping
counter @name @frequency @scaling
cpu/topology @sockets @dies @clusters @cores @threads
cpu/feature @name @policy
cpu/features: pae nonpae ia64_be acpi apic
cpu/pages @size @unit
power_management: suspend_mem suspend_disk suspend_hybrid
suspend_mem
suspend_disk
suspend_hybrid
iommu @support
migration_features: live uri_transports
live
uri_transports: uri_transport
uri_transport: text
host/topology: cells interconnects
cells @num: cell
cell @id: memory pages distances cache cpus
memory @unit: text
cell/pages @size @unit: text
distances: sibling
sibling @id @value
cell/cache @level @associativity @policy: size line
size @value @unit
line @value @unit
cpus @num: cpu
cpus/cpu @id @socket_id @die_id @cluster_id @core_id @siblings
interconnects: latency bandwidth
latency @initiator @target @cache @type @value
bandwidth @initiator @target @cache @type @value @unit
host/cache: bank monitor
bank @id @level @type @size @unit @cpus: control
control @granularity @min @unit @type @maxAllocs
monitor @level @reuseThreshold @maxMonitors: feature
monitor/feature @name
memory_bandwidth: node monitor
node @id @cpus: control
secmodel: model doi baselabel
secmodel/model: text
doi: text
baselabel @type: text
guest: os_type arch features
os_type: text
guest/arch @name: wordsize emulator loader machine domain
wordsize: text
emulator: text
loader: text
machine @canonical @maxCpus @deprecated: text
domain @type: emulator loader machine
guest/features: pae nonpae ia64_be acpi apic cpuselection deviceboot disksnapshot hap externalSnapshot
pae
nonpae
ia64_be
acpi @default @toggle
apic @default @toggle
cpuselection
deviceboot
disksnapshot @default @toggle
hap @default @toggle
externalSnapshot
"""

_DOMAIN_CAPABILITIES: Final = """
domainCapabilities: path domain machine arch vcpu iothreads os cpu memoryBacking devices features
path: text
domain: text
machine: text
arch: text
vcpu @max
iothreads @supported
os @supported: enum loader
enum @name: value
value: text
loader @supported: value enum
cpu: mode
mode @name @supported: enum model vendor maxphysaddr feature blockers
model @fallback @usable @deprecated @vendor @canonical: text
vendor: text
maxphysaddr @mode @limit
feature @name @policy
blockers @model: feature
memoryBacking @supported: enum
devices: disk graphics video hostdev rng filesystem tpm redirdev channel crypto interface panic console
disk @supported: enum
graphics @supported: enum
video @supported: enum
hostdev @supported: enum
rng @supported: enum
filesystem @supported: enum
tpm @supported: enum
redirdev @supported: enum
channel @supported: enum
crypto @supported: enum
interface @supported: enum
panic @supported: enum
console @supported: enum
features: gic vmcoreinfo genid backingStoreInput backup async-teardown ps2 s390-pv tdx sev sgx hyperv launchSecurity
gic @supported: enum
vmcoreinfo @supported
genid @supported
backingStoreInput @supported
backup @supported
async-teardown @supported
ps2 @supported
s390-pv @supported
tdx @supported
sev @supported: cbitpos reducedPhysBits maxGuests maxESGuests cpu0Id
cbitpos: text
reducedPhysBits: text
maxGuests: text
maxESGuests: text
cpu0Id: text
sgx @supported: flc sgx1 sgx2 section_size sections
flc: text
sgx1: text
sgx2: text
section_size @unit: text
sections: section
section @node @size @unit
hyperv @supported: enum
launchSecurity @supported: enum
"""

_POOL_CAPABILITIES: Final = """
storagepoolCapabilities: pool
pool @type @supported: poolOptions volOptions
poolOptions: defaultFormat enum
volOptions: defaultFormat enum
defaultFormat @type
enum @name: value
value: text
"""

_SYSINFO: Final = """
sysinfo @type: bios system baseBoard chassis processor memory_device oemStrings
bios: entry
system: entry
baseBoard: entry
chassis: entry
processor: entry
memory_device: entry
oemStrings: entry
entry @name: text
"""

_SOURCES: Final = """
sources: source
source: host device dir adapter name initiator format auth protocol vendor product
host @name @port
device @path @part_separator: freeExtent
freeExtent @start @end
dir @path
adapter @type @name @parent @managed @wwnn @wwpn
name: text
initiator: iqn
iqn @name
format @type
auth @type @username: secret
secret @uuid @usage @type
protocol @ver
vendor @name
product @name
"""

#: Root element to the table of its document.
_TABLES: Final = {
    "capabilities": _CAPABILITIES,
    "domainCapabilities": _DOMAIN_CAPABILITIES,
    "storagepoolCapabilities": _POOL_CAPABILITIES,
    "sysinfo": _SYSINFO,
    "sources": _SOURCES,
}


@dataclass(frozen=True, slots=True)
class _Allowed:
    attributes: frozenset[str]
    children: frozenset[str]
    text: bool


def _table(root: str) -> dict[str, _Allowed]:
    found = {}
    for line in _TABLES[root].strip().splitlines():
        head, _, inside = line.partition(":")
        name, *attributes = head.split()
        words = inside.split()
        children = frozenset(words) - {"text"}
        found[name] = _Allowed(frozenset(word.removeprefix("@") for word in attributes), children, "text" in words)
    return found


def check_report(xml: str, *, validate: bool = False) -> str:
    """The document itself, if nothing stands in it that the format does not have.

    Raises `LibvirtError` that names the element and the line, as reading one that has classes does.
    """
    root = parse_any(xml, "document")
    if root.tag not in _TABLES:
        raise UnsupportedConfigError(f"root element '{root.tag!s}' is not known here")
    _check(root, _table(str(root.tag)), Reading(validate=validate))
    return xml


def _check(node: etree._Element, table: dict[str, _Allowed], reading: Reading) -> None:
    around = node.getparent()
    tag = str(node.tag)
    allowed = table.get(f"{around.tag!s}/{tag}") if around is not None else None
    allowed = allowed or table[tag]
    for name in node.keys():  # noqa: SIM118 - an element is no mapping: `in node` are its children
        if str(name) not in allowed.attributes:
            raise reading.refuse(node, f"attribute '{name!s}'")
    if not allowed.text and (node.text or "").strip():
        raise reading.refuse(node, f"the text '{(node.text or '').strip()[:40]}'")
    for child in node:
        if str(child.tag) not in allowed.children:
            raise reading.refuse(node, f"element '{child.tag!s}'", child)
        _check(child, table, reading)
