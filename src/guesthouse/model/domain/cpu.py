"""A guest's processor: `<cpu>`.

Format: https://libvirt.org/formatdomain.html#cpu-model-and-topology
"""

from __future__ import annotations

from guesthouse.errors import Origin, XmlError
from guesthouse.model.binding import attr, default, element, many, one, opt, opt_content, opt_leaf
from guesthouse.model.domain.numa import Numa
from guesthouse.model.kinds import ON_OFF, TEXT, integer, matching, one_of

_COUNT = integer(1, 2**32 - 1)


@element("model")
class CpuModel:
    """The model's name; `fallback` allows a near one where QEMU does not know it."""

    fallback: str | None = opt(one_of("allow", "forbid"))
    vendor_id: str | None = opt(matching(r"[^,]{12}", "12 characters without a comma"))
    name: str | None = opt_content(matching(r"[A-Za-z0-9_.+-]+", "the name of a CPU model"))

    def parsed(self) -> None:
        """A fallback belongs to a name."""
        self.fallback = (self.fallback or "allow") if self.name is not None else None


@element("topology")
class Topology:
    """Parts of the processor, each a number per the part that holds it."""

    sockets: int = attr(_COUNT)
    dies: int = default(_COUNT, 1)
    clusters: int = default(_COUNT, 1)
    cores: int = attr(_COUNT)
    threads: int = attr(_COUNT)

    @property
    def total(self) -> int:
        """How many virtual processors that makes."""
        return self.sockets * self.dies * self.clusters * self.cores * self.threads


@element("cache")
class Cache:
    """What the guest is told about the processor's cache."""

    level: int | None = opt(integer(0, 3))
    mode: str = attr(one_of("emulate", "passthrough", "disable"))


@element("maxphysaddr")
class PhysicalAddress:
    """How many bits a physical address has."""

    mode: str = attr(one_of("emulate", "passthrough"))
    bits: int | None = opt(integer(0, 64))
    limit: int | None = opt(integer(0, 64))


@element("feature")
class CpuFeature:
    """One feature and whether the guest has it."""

    policy: str = default(one_of("force", "require", "optional", "disable", "forbid"), "require")
    name: str = attr(matching(r"[^,=\s]+", "a feature's name"))


@element("cpu")
class Cpu:
    """Processor model, topology and features.

    `check` says how strictly the guest's processor is compared with what was asked for; `migratable` belongs to the
    modes `host-passthrough` and `maximum`.
    """

    mode: str | None = opt(one_of("custom", "host-model", "host-passthrough", "maximum"))
    match: str | None = opt(one_of("minimum", "exact", "strict"))
    check: str | None = opt(one_of("none", "partial", "full"))
    migratable: bool | None = opt(ON_OFF)
    deprecated_features: bool | None = opt(ON_OFF)
    model: CpuModel | None = one(CpuModel, show=lambda model: bool(model.name or model.vendor_id))
    vendor: str | None = opt_leaf(TEXT)
    topology: Topology | None = one(Topology)
    cache: Cache | None = one(Cache)
    maxphysaddr: PhysicalAddress | None = one(PhysicalAddress)
    features: list[CpuFeature] = many(CpuFeature)
    numa: Numa | None = one(Numa)

    def parsed(self) -> None:
        """Fill in what libvirt assumes, and check what spans elements."""
        named = self.model is not None and self.model.name is not None
        if self.mode in (None, "custom"):
            self.mode = "custom" if named else None
            self.match = (self.match or "exact") if named else None
            if self.features and not named:
                raise XmlError("Non-empty feature list specified without CPU model", domain=Origin.CPU)
        else:
            self.match = None
        if self.migratable is not None and self.mode not in ("host-passthrough", "maximum"):
            raise XmlError(
                f"Attribute migratable is only allowed for 'host-passthrough' / 'maximum' CPU mode, not '{self.mode}'",
                domain=Origin.CPU,
            )
        if self.vendor is not None and not named and self.mode != "host-model":
            raise XmlError("CPU vendor specified without CPU model", domain=Origin.CPU)
        seen: set[str] = set()
        for feature in self.features:
            if feature.name in seen:
                raise XmlError(f"CPU feature '{feature.name}' specified more than once", domain=Origin.CPU)
            seen.add(feature.name)
