"""What the processor of a definition becomes when the guest starts: a model and features that QEMU knows.

- `host-model`, and `match='minimum'`, are the best that QEMU offers here; the definition's own features go on top.
- An `optional` feature is required where QEMU can give it, else disabled.
- Features that a model had once are disabled, unless the definition names them.
- A model that this QEMU lacks is described by one that it has, where the definition allows that.
- `check='partial'` refuses what the host cannot give, before QEMU is started.

Rules: https://libvirt.org/formatdomain.html#cpu-model-and-topology
"""

from __future__ import annotations

from dataclasses import replace

from guesthouse.errors import Code, InternalError, LibvirtError, Origin, UnsupportedConfigError
from guesthouse.model.binding import new
from guesthouse.model.cpu_definition import CpuDefinition
from guesthouse.model.cpu_from_qemu import blockers, host_model
from guesthouse.model.cpu_matching import Processor, decode, features_of
from guesthouse.model.cpu_models import X86, CpuModel, table
from guesthouse.model.cpu_usability import NOT_IN_QEMU, serve
from guesthouse.model.domain import cpu as xml
from guesthouse.model.domain.definition import Domain
from guesthouse.model.domain.launch import LaunchContext
from guesthouse.model.domain.machines import runs
from guesthouse.model.qemu_capabilities import KVM, QemuCapabilities, StaticModel


def resolve(domain: Domain, launch: LaunchContext) -> None:
    """Settle the processor of `domain`, which must be the running guest's own copy.

    Raises `LibvirtError`: 67 for a feature that nobody knows, and a mode or model that this QEMU does not have; 91 for
    what the host cannot give, 1 for a model that nobody knows.
    """
    cpu = domain.cpu
    if cpu is None or cpu.mode is None:
        return
    capabilities, accelerator, host_arch = launch.caps, launch.accel, launch.host_arch
    if domain.os.arch in X86:
        _check_features(cpu)
    best = host_model(capabilities, accelerator) if domain.os.arch == host_arch and _depends(cpu) else None
    _check_mode(domain, cpu.mode, capabilities, accelerator, host_arch, best)
    if cpu.check != "none" and best is not None:
        _check_forbidden(cpu, best)
    if domain.os.arch in X86 and cpu.mode in ("custom", "host-model"):
        if cpu.check == "partial" and best is not None:
            serve(capabilities, accelerator, _everything(best, launch), definition_of(cpu), fail=True)
        update(cpu, best)
        _translate(cpu, capabilities, accelerator)
        if cpu.model is not None:
            cpu.model.fallback = "forbid"
    if domain.os.arch == "s390x" and cpu.mode == "host-model" and best is not None:
        _take_static(cpu, best, capabilities.static_models[accelerator])
    if domain.os.arch in X86:
        cpu.features = [feature for feature in cpu.features if feature.name not in NOT_IN_QEMU]


def definition_of(cpu: xml.Cpu) -> CpuDefinition:
    """A guest's `<cpu>` as the functions that compare processors want it."""
    return CpuDefinition(
        mode=cpu.mode,
        match=cpu.match,
        model=cpu.model.name if cpu.model is not None else None,
        vendor=cpu.vendor,
        features={feature.name: feature.policy for feature in cpu.features},
    )


def _everything(best: CpuDefinition, launch: LaunchContext) -> CpuDefinition:
    """`best` with what the host's own processor has: a definition may ask for it, though KVM will not pass it on."""
    if launch.accel != KVM:
        return best
    offered = features_of(best)
    beyond = [name for name in launch.host_features() if name not in offered]
    return replace(best, features=best.features | dict.fromkeys(beyond, "require"))


def _check_features(cpu: xml.Cpu) -> None:
    for feature in cpu.features:
        if feature.name not in table().bits:
            raise UnsupportedConfigError(f"unknown CPU feature: {feature.name}", domain=Origin.CPU)


def _depends(cpu: xml.Cpu) -> bool:
    """Whether the host has a say in what the processor becomes."""
    relative = cpu.mode == "host-model" or cpu.match == "minimum" or cpu.check != "none"
    return relative or any(feature.policy == "optional" for feature in cpu.features)


def _check_mode(
    domain: Domain,
    mode: str,
    capabilities: QemuCapabilities,
    accelerator: str,
    host_arch: str,
    best: CpuDefinition | None,
) -> None:
    supported = {
        "custom": bool(capabilities.cpu_models.get(accelerator)),
        "host-model": best is not None,
        "host-passthrough": accelerator == KVM and runs(host_arch, domain.os.arch),
        "maximum": True,
    }
    if not supported[mode]:
        raise UnsupportedConfigError(
            f"CPU mode '{mode}' for {domain.os.arch} {domain.type} domain on {host_arch} host is not supported by "
            "hypervisor",
            domain=Origin.QEMU,
        )


def _check_forbidden(cpu: xml.Cpu, best: CpuDefinition) -> None:
    """Refuse what the best processor lists beyond its model; what the model itself has, only QEMU's report tells."""
    for feature in cpu.features:
        if feature.policy == "forbid" and best.features.get(feature.name, "disable") != "disable":
            raise LibvirtError(
                f"Host CPU provides forbidden feature '{feature.name}'",
                code=Code.CPU_INCOMPATIBLE,
                domain=Origin.CPU,
            )


def update(cpu: xml.Cpu, best: CpuDefinition | None) -> None:
    """Settle what depends on the host, `best` being what QEMU offers on it. Modes that QEMU settles stay.

    Raises `LibvirtError`: 67 where `best` is needed and unknown, 1 for a model that nobody knows.
    """
    if cpu.mode not in ("custom", "host-model"):
        return
    takes_best = cpu.mode == "host-model" or cpu.match == "minimum"
    if takes_best or any(feature.policy == "optional" for feature in cpu.features):
        if best is None:
            raise UnsupportedConfigError("unknown host CPU model", domain=Origin.CPU)
        offered = features_of(best)
        for feature in cpu.features:
            if feature.policy == "optional":
                feature.policy = "require" if feature.name in offered else "disable"
    if takes_best and best is not None:
        _take(cpu, best)
    model = _known_model(cpu.model.name if cpu.model is not None else None)
    listed = {feature.name for feature in cpu.features}
    cpu.features += [new(xml.CpuFeature, name=name, policy="disable") for name in model.removed if name not in listed]


def _take(cpu: xml.Cpu, best: CpuDefinition) -> None:
    """The host's model and features, with the definition's own features on top."""
    if cpu.mode == "host-model":
        cpu.vendor = best.vendor
    vendor_id = cpu.model.vendor_id if cpu.model is not None else None
    fallback = cpu.model.fallback if cpu.model is not None else None
    own = {feature.name: feature.policy for feature in cpu.features}
    cpu.features = _features(best.features | own)
    cpu.model = new(xml.CpuModel, name=best.model, fallback=fallback or "allow", vendor_id=vendor_id)
    cpu.mode, cpu.match = "custom", "exact"


def _take_static(cpu: xml.Cpu, best: CpuDefinition, static: StaticModel) -> None:
    """The best processor of s390x; what is deprecated is left out where the definition says so."""
    policies = dict(best.features)
    if cpu.deprecated_features is False:
        policies |= dict.fromkeys(static.deprecated, "disable")
    own = {feature.name: feature.policy for feature in cpu.features}
    cpu.features = _features(policies | own)
    cpu.model = new(xml.CpuModel, name=best.model, fallback="forbid")
    cpu.mode, cpu.match, cpu.deprecated_features = "custom", "exact", None


def _translate(cpu: xml.Cpu, capabilities: QemuCapabilities, accelerator: str) -> None:
    """Describe the processor by a model that QEMU has."""
    known = {model.name for model in capabilities.cpu_models.get(accelerator, ())}
    if cpu.model is None or cpu.model.name in known:
        return
    if cpu.model.fallback != "allow":
        raise UnsupportedConfigError(f"CPU model {cpu.model.name} is not supported by hypervisor", domain=Origin.CPU)
    model = _known_model(cpu.model.name)
    pattern = model.signatures[0].example if model.signatures else None
    processor = Processor(features_of(definition_of(cpu)), model.vendor, pattern)
    found = decode(processor, host=False, usable=blockers(capabilities, accelerator))
    own = {feature.name: feature.policy for feature in cpu.features}
    cpu.features = _features(found.features | own)
    cpu.model.name = found.model


def _known_model(name: str | None) -> CpuModel:
    model = table().models.get(name or "")
    if model is None:
        raise InternalError(f"Unknown CPU model {name}", domain=Origin.CPU)
    return model


def _features(policies: dict[str, str]) -> list[xml.CpuFeature]:
    return [new(xml.CpuFeature, name=name, policy=policy) for name, policy in policies.items()]
