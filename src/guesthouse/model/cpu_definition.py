"""A processor as `<cpu>` describes it outside of a guest's definition: read from and written to XML.

`<cpu>` with an `<arch>` describes a host's processor, without it a guest's. Both go into the calls that compare
processors and compute baselines (https://libvirt.org/formatcaps.html, https://libvirt.org/formatdomain.html#cpu-model-and-topology).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from guesthouse.errors import Code, LibvirtError, Origin, UnsupportedConfigError, XmlError
from guesthouse.model.cpu_models import Signature
from guesthouse.model.xmltext import Lines, escape, parse_document

if TYPE_CHECKING:
    from lxml import etree

POLICIES: Final = ("force", "require", "optional", "disable", "forbid")
_MODES: Final = ("custom", "host-model", "host-passthrough", "maximum")
_MATCHES: Final = ("minimum", "exact", "strict")
_CHECKS: Final = ("none", "partial", "full")


@dataclass(frozen=True, slots=True)
class Topology:
    """Counts of a processor's parts, each per the part that holds it; `sockets` per NUMA cell on a host."""

    sockets: int
    dies: int
    clusters: int
    cores: int
    threads: int


@dataclass(frozen=True, slots=True)
class PhysicalAddress:
    """`<maxphysaddr>`: `bits` for mode `emulate`, `limit` for mode `passthrough`."""

    mode: str
    bits: int | None = None
    limit: int | None = None


@dataclass(slots=True)
class CpuDefinition:
    """A processor. `arch` is set for a host's; then features have no policy, and all are required.

    `tsc` is the frequency of the time stamp counter in Hz and whether the host can scale it. `pages` are the sizes of
    memory pages that the host offers, in KiB.
    """

    arch: str | None = None
    mode: str | None = None
    match: str | None = None
    check: str | None = None
    model: str | None = None
    fallback: str = "allow"
    vendor_id: str | None = None
    vendor: str | None = None
    microcode: int | None = None
    signature: Signature | None = None
    tsc: tuple[int, bool | None] | None = None
    topology: Topology | None = None
    physical_address: PhysicalAddress | None = None
    features: dict[str, str] = field(default_factory=dict)
    pages: tuple[int, ...] = ()

    @property
    def host(self) -> bool:
        """Whether this is a host's processor."""
        return self.arch is not None

    def with_policy(self, policy: str) -> set[str]:
        """The features of one policy."""
        return {name for name, value in self.features.items() if value == policy}


#: The elements of `<cpu>` and their attributes, for documents that are to be validated.
_SCHEMA: Final = {
    "cpu": {"mode", "match", "check", "migratable", "deprecated_features"},
    "arch": set(),
    "model": {"fallback", "vendor_id"},
    "vendor": set(),
    "microcode": {"version"},
    "signature": {"family", "model", "stepping"},
    "counter": {"name", "frequency", "scaling"},
    "topology": {"sockets", "dies", "clusters", "cores", "threads"},
    "cache": {"level", "mode"},
    "maxphysaddr": {"mode", "bits", "limit"},
    "feature": {"name", "policy"},
    "pages": {"unit", "size"},
}


def parse_cpu(text: str, *, host: bool | None = None, validate: bool = False) -> CpuDefinition:
    """Read a `<cpu>` document; `host` None decides by its `<arch>`, as the comparing calls do.

    Raises `XmlError` (27) or `UnsupportedConfigError` (67) with libvirt's texts; with `validate`, error 92 for anything
    that is not in the format.
    """
    try:
        node = parse_document(text, "cpu", "CPU definition")
        if validate:
            _check_names(node)
        return _read_cpu(node, host)
    except LibvirtError as error:
        error.domain = Origin.CPU
        if validate and error.code in (Code.XML_ERROR, Code.CONFIG_UNSUPPORTED):
            raise LibvirtError(error.detail, code=Code.XML_INVALID_SCHEMA, domain=Origin.XML) from None
        raise


def _check_names(node: etree._Element) -> None:
    for element in node.iter():
        allowed = _SCHEMA.get(str(element.tag))
        if allowed is None:
            raise _xml(f"Did not expect element {element.tag} there")
        for name in map(str, element.attrib):
            if name not in allowed:
                raise _xml(f"Invalid attribute {name} for element {element.tag}")


def _read_cpu(node: etree._Element, host: bool | None) -> CpuDefinition:
    arch = _child_text(node, "arch")
    if host is None:
        host = arch is not None
        if host and node.get("match") is not None:
            raise _xml("'arch' element cannot be used inside 'cpu' element with 'match' attribute'")
    cpu = CpuDefinition()
    if host:
        _read_host(node, cpu, arch)
    else:
        _read_guest(node, cpu)
    cpu.vendor = _child_text(node, "vendor")
    if cpu.vendor is not None and cpu.model is None:
        raise _xml("CPU vendor specified without CPU model")
    cpu.topology = _topology(node.find("topology"))
    cpu.physical_address = _physical_address(node.find("maxphysaddr"))
    _read_features(node, cpu)
    return cpu


def _read_host(node: etree._Element, cpu: CpuDefinition, arch: str | None) -> None:
    if node.get("mode") is not None:
        raise _config("Attribute mode is only allowed for guest CPU")
    if arch is None:
        raise _xml("Missing CPU architecture")
    cpu.arch = arch
    cpu.model = _child_text(node, "model")
    if cpu.model is None:
        raise _xml("Missing CPU model name")
    microcode = node.find("microcode")
    if microcode is not None and microcode.get("version") is not None:
        cpu.microcode = _number(microcode, "version")
    signature = node.find("signature")
    if signature is not None:
        cpu.signature = Signature(*(_number(signature, name) for name in ("family", "model", "stepping")))


def _read_guest(node: etree._Element, cpu: CpuDefinition) -> None:
    cpu.mode = node.get("mode", "custom")
    if cpu.mode not in _MODES:
        raise _config(f"Invalid mode attribute '{cpu.mode}'")
    cpu.match = _word(node, "match", _MATCHES) or "exact"
    cpu.check = _word(node, "check", _CHECKS)
    model = node.find("model")
    if model is not None:
        cpu.model = (model.text or "").strip() or None
        cpu.fallback = model.get("fallback", "allow")
        if cpu.fallback not in ("allow", "forbid"):
            raise _config("Invalid fallback attribute")
        cpu.vendor_id = _vendor_id(model.get("vendor_id"))


def _vendor_id(text: str | None) -> str | None:
    if text is None:
        return None
    if len(text) != 12:
        raise _xml("vendor_id must be exactly 12 characters long")
    if "," in text:
        raise _xml("vendor id is invalid")
    return text


def _read_features(node: etree._Element, cpu: CpuDefinition) -> None:
    nodes = node.findall("feature")
    if nodes and cpu.model is None and cpu.mode == "custom":
        raise _xml("Non-empty feature list specified without CPU model")
    for feature in nodes:
        policy = "require" if cpu.host else feature.get("policy", "require")
        if policy not in POLICIES:
            raise _config("Invalid CPU feature policy")
        name = feature.get("name")
        if not name:
            raise _xml("Invalid CPU feature name")
        if name in cpu.features:
            raise _xml(f"CPU feature '{name}' specified more than once")
        cpu.features[name] = policy


def _topology(node: etree._Element | None) -> Topology | None:
    if node is None:
        return None
    counts = {name: _number(node, name, least=1) for name in ("sockets", "cores", "threads")}
    for name in ("dies", "clusters"):
        counts[name] = _number(node, name, least=1) if node.get(name) is not None else 1
    return Topology(**counts)


def _physical_address(node: etree._Element | None) -> PhysicalAddress | None:
    if node is None:
        return None
    mode = _word(node, "mode", ("emulate", "passthrough"))
    if mode is None:
        raise _xml("Missing required attribute 'mode' in element 'maxphysaddr'")
    bits = _number(node, "bits") if node.get("bits") is not None else None
    limit = _number(node, "limit", least=1) if node.get("limit") is not None else None
    if limit is not None and mode != "passthrough":
        raise _config("attribute 'limit' is only supported for maxphysaddr mode 'passthrough'")
    return PhysicalAddress(mode, bits, limit)


def _child_text(node: etree._Element, tag: str) -> str | None:
    child = node.find(tag)
    return (child.text or "").strip() or None if child is not None else None


def _word(node: etree._Element, name: str, allowed: tuple[str, ...]) -> str | None:
    value = node.get(name)
    if value is not None and value not in allowed:
        raise _xml(f"Invalid value for attribute '{name}' in element '{node.tag}': '{value}'.")
    return value


def _number(node: etree._Element, name: str, least: int = 0) -> int:
    value = node.get(name)
    if value is None:
        raise _xml(f"Missing required attribute '{name}' in element '{node.tag}'")
    if not (value.isascii() and value.isdigit()) or not least <= int(value) < 1 << 32:
        raise _xml(f"Invalid value for attribute '{name}' in element '{node.tag}': '{value}'. Expected integer value")
    return int(value)


def _xml(detail: str) -> XmlError:
    return XmlError(detail, domain=Origin.CPU)


def _config(detail: str) -> UnsupportedConfigError:
    return UnsupportedConfigError(detail, domain=Origin.CPU)


def write_cpu(lines: Lines, cpu: CpuDefinition) -> None:
    """Add `cpu` to `lines` as a `<cpu>` element."""
    attributes = ""
    if not cpu.host and (cpu.mode != "custom" or cpu.model):
        attributes = f" mode='{cpu.mode}'"
        if cpu.mode == "custom":
            attributes += f" match='{cpu.match or 'exact'}'"
        if cpu.check:
            attributes += f" check='{cpu.check}'"
    lines.open("cpu", attributes)
    if cpu.arch is not None:
        lines.leaf("arch", text=cpu.arch)
    write_cpu_body(lines, cpu)
    for size in cpu.pages:
        lines.leaf("pages", f" unit='KiB' size='{size}'")
    lines.close("cpu")


def write_cpu_body(lines: Lines, cpu: CpuDefinition) -> None:
    """Add what stands inside of `<cpu>`, and inside of `<mode name='host-model'>` of the domain capabilities."""
    if cpu.model is not None:
        fallback = "" if cpu.host else f" fallback='{cpu.fallback}'"
        vendor_id = f" vendor_id='{escape(cpu.vendor_id)}'" if cpu.vendor_id else ""
        lines.leaf("model", fallback + vendor_id, escape(cpu.model))
    if cpu.vendor is not None:
        lines.leaf("vendor", text=escape(cpu.vendor))
    if cpu.host:
        _write_host_facts(lines, cpu)
    if cpu.topology is not None:
        t = cpu.topology
        lines.leaf(
            "topology",
            f" sockets='{t.sockets}' dies='{t.dies}' clusters='{t.clusters}' cores='{t.cores}' threads='{t.threads}'",
        )
    if cpu.physical_address is not None:
        address = cpu.physical_address
        bits = f" bits='{address.bits}'" if address.bits is not None else ""
        limit = f" limit='{address.limit}'" if address.limit is not None else ""
        lines.leaf("maxphysaddr", f" mode='{address.mode}'{bits}{limit}")
    for name, policy in cpu.features.items():
        lines.leaf("feature", f" name='{escape(name)}'" if cpu.host else f" policy='{policy}' name='{escape(name)}'")


def _write_host_facts(lines: Lines, cpu: CpuDefinition) -> None:
    if cpu.microcode:
        lines.leaf("microcode", f" version='{cpu.microcode}'")
    if cpu.signature is not None and cpu.signature.family:
        s = cpu.signature
        lines.leaf("signature", f" family='{s.family}' model='{s.model}' stepping='{s.stepping}'")
    if cpu.tsc is not None:
        frequency, scaling = cpu.tsc
        suffix = "" if scaling is None else f" scaling='{'yes' if scaling else 'no'}'"
        lines.leaf("counter", f" name='tsc' frequency='{frequency}'{suffix}")


def format_cpu(cpu: CpuDefinition) -> str:
    """`cpu` as a document of its own."""
    lines = Lines()
    write_cpu(lines, cpu)
    return lines.text()
