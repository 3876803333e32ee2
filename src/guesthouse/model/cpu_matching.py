"""Naming, comparing and joining x86 processors.

- `decode` finds the model that describes a set of features best, as libvirt does: the models are tried from the newest
  to the oldest; one whose signature matches the real processor beats one whose does not; then the one with the
  shorter list of differences wins.
- `compare` says whether a host can run a described processor.
- `baseline` is the richest processor that all of several hosts have.

Meaning of the results: https://libvirt.org/html/libvirt-libvirt-host.html#virCPUCompareResult
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from guesthouse.errors import Code, InternalError, LibvirtError, OperationFailedError, Origin
from guesthouse.model.cpu_definition import CpuDefinition
from guesthouse.model.cpu_models import X86, CpuModel, CpuTable, Signature, table

INCOMPATIBLE: Final = 0
IDENTICAL: Final = 1
SUPERSET: Final = 2

#: Intel models (family 6) whose transactional memory is broken: model to the first stepping that is sound.
_BROKEN_TSX: Final = {60: 16, 63: 4, 69: 16, 70: 16}


@dataclass(frozen=True, slots=True)
class Processor:
    """What is known of a processor: its features, and its vendor and signature where they are known."""

    features: frozenset[str]
    vendor: str | None = None
    signature: Signature | None = None


@dataclass(frozen=True, slots=True)
class _Candidate:
    model: CpuModel
    required: tuple[str, ...]
    disabled: tuple[str, ...]

    def score(self, *, host: bool) -> tuple[int, int]:
        """The smaller, the better: weight of the whole list, weight of its disabled features.

        Each disabled feature weighs one more than the one before, from 2 up. libvirt's count stops half way through
        the disabled ones; documents would differ from its own if ours did not.
        """
        count = len(self.required) + len(self.disabled)
        if host:
            return count, 0
        penalised = (len(self.disabled) + 1) // 2
        penalty = sum(range(2, 2 + penalised))
        return count - penalised + penalty, penalty


def decode(
    processor: Processor,
    *,
    host: bool,
    usable: Mapping[str, Collection[str]] | None = None,
    preferred: Sequence[str] = (),
    migratable: bool = False,
) -> CpuDefinition:
    """The definition that describes `processor` best.

    A host's definition lists what the processor has beyond its model, and never picks a model that has more than the
    processor; a guest's also lists what to disable. `usable` restricts the choice to these models and names the
    features that keep each from running here. `preferred` is taken where it is the only name, else where it costs less.
    With `migratable`, features that cannot migrate are left out.

    Raises `LibvirtError` (1) where no model fits.
    """
    cpus = table()
    processor = _without_broken_tsx(processor)
    best: _Candidate | None = None
    for model in reversed(cpus.models.values()):
        if usable is not None and model.name not in usable:
            continue
        if processor.vendor and model.vendor and model.vendor != processor.vendor:
            continue
        if not (model.host if host else model.guest):
            continue
        candidate = _difference(cpus, processor, model, usable, host=host)
        if host and candidate.disabled:
            continue
        if list(preferred) == [model.name]:
            best = candidate
            break
        if best is None or _better(candidate, best, processor.signature, preferred, host=host):
            best = candidate
    if best is None:
        raise InternalError("Cannot find suitable CPU model for given data", domain=Origin.CPU)
    features = dict.fromkeys(best.required, "require") | dict.fromkeys(best.disabled, "disable")
    if migratable:
        features = {name: policy for name, policy in features.items() if name not in cpus.immovable}
    return CpuDefinition(
        arch="x86_64" if host else None,
        mode=None if host else "custom",
        match=None if host else "exact",
        model=best.model.name,
        vendor=processor.vendor,
        signature=processor.signature,
        features=features,
    )


def _without_broken_tsx(processor: Processor) -> Processor:
    signature = processor.signature
    if processor.vendor != "Intel" or signature is None or signature.family != 6:
        return processor
    if signature.stepping >= _BROKEN_TSX.get(signature.model, 0):
        return processor
    return Processor(processor.features - {"hle", "rtm"}, processor.vendor, signature)


def _difference(
    cpus: CpuTable,
    processor: Processor,
    model: CpuModel,
    usable: Mapping[str, Collection[str]] | None,
    *,
    host: bool,
) -> _Candidate:
    extra = processor.features - model.features
    missing = model.features - processor.features
    if usable is not None:
        missing |= frozenset(usable[model.name]) - extra
    required, disabled = cpus.ordered(extra), cpus.ordered(missing)
    if not host:
        disabled += [name for name in model.removed if name not in extra and name not in missing]
    return _Candidate(model, tuple(required), tuple(disabled))


def _better(
    candidate: _Candidate, best: _Candidate, signature: Signature | None, preferred: Sequence[str], *, host: bool
) -> bool:
    if candidate.model.matches(signature) != best.model.matches(signature):
        return candidate.model.matches(signature)
    ours, theirs = candidate.score(host=host), best.score(host=host)
    return ours < theirs or (candidate.model.name in preferred and ours[1] < theirs[1])


def features_of(cpu: CpuDefinition) -> frozenset[str]:
    """All features of a defined processor: its model's, with the listed ones applied; optional ones do not count.

    Raises `LibvirtError` (1) for a model or feature that nobody knows.
    """
    wanted = cpu.with_policy("force") | cpu.with_policy("require")
    unwanted = cpu.with_policy("disable") | cpu.with_policy("forbid")
    return (_model_features(cpu) | _known(wanted)) - _known(unwanted)


def _model_features(cpu: CpuDefinition) -> frozenset[str]:
    return _model(cpu.model).features if cpu.model else frozenset()


def _model(name: str) -> CpuModel:
    try:
        return table().models[name]
    except KeyError:
        raise InternalError(f"Unknown CPU model {name}", domain=Origin.CPU) from None


def _known(names: set[str]) -> frozenset[str]:
    for name in names:
        if name not in table().bits:
            raise InternalError(f"Unknown CPU feature {name}", domain=Origin.CPU)
    return frozenset(names)


def compare(host: CpuDefinition | None, cpu: CpuDefinition, *, fail: bool) -> int:
    """`INCOMPATIBLE`, `IDENTICAL` or `SUPERSET`: how `host` serves a guest that asks for `cpu`.

    With `fail`, an incompatible processor is an error (91) that names what is missing. `host` None is an unknown one.
    """
    reason = "unknown host CPU"
    if host is not None and host.model is not None:
        result, reason = _compare(host, cpu)
        if result != INCOMPATIBLE:
            return result
    return incompatible(reason, fail=fail)


def incompatible(reason: str, *, fail: bool) -> int:
    """`INCOMPATIBLE`, or with `fail` the error (91) that says why."""
    if fail:
        raise LibvirtError(reason, code=Code.CPU_INCOMPATIBLE, domain=Origin.CPU)
    return INCOMPATIBLE


def _compare(host: CpuDefinition, cpu: CpuDefinition) -> tuple[int, str]:
    if cpu.arch is not None and cpu.arch not in X86:
        return INCOMPATIBLE, f"CPU arch {cpu.arch} does not match host arch"
    if cpu.vendor and cpu.vendor != host.vendor:
        return INCOMPATIBLE, f"host CPU vendor does not match required CPU vendor {cpu.vendor}"
    available = features_of(host)
    by_policy = {
        policy: _known(cpu.with_policy(policy)) for policy in ("force", "require", "optional", "disable", "forbid")
    }
    forbidden = by_policy["forbid"] & available
    if forbidden:
        return INCOMPATIBLE, _listing("Host CPU provides forbidden features", forbidden)
    relaxed = by_policy["force"] | by_policy["optional"] | by_policy["disable"]
    required = (_model_features(cpu) | by_policy["require"]) - relaxed
    missing = required - available
    if missing:
        return INCOMPATIBLE, _listing("Host CPU does not provide required features", missing)
    surplus = available - required - relaxed
    if surplus and not cpu.host and cpu.match == "strict":
        return INCOMPATIBLE, _listing("Host CPU does not strictly match guest CPU: Extra features", surplus)
    return (SUPERSET if surplus else IDENTICAL), ""


def _listing(what: str, features: frozenset[str]) -> str:
    return f"{what}: {', '.join(table().ordered(features))}"


def baseline(
    cpus: Sequence[CpuDefinition],
    *,
    usable: Mapping[str, Collection[str]] | None = None,
    available: Collection[str] | None = None,
    migratable: bool = False,
) -> CpuDefinition:
    """The richest guest processor that every one of `cpus` can run.

    `usable` are the models of the hypervisor with what blocks them, and `available` the features that it can provide.
    Raises `LibvirtError` 8 for an empty list or a processor without model, 3 for another architecture than x86, 9 where
    nothing is common.
    """
    if not cpus:
        raise LibvirtError("no CPUs given", code=Code.INVALID_ARG, domain=Origin.CPU)
    for index, cpu in enumerate(cpus):
        if cpu.model is None:
            raise LibvirtError(f"no CPU model specified at index {index}", code=Code.INVALID_ARG, domain=Origin.CPU)
        if cpu.arch is not None and cpu.arch not in X86:
            raise LibvirtError(
                f"cannot compute baseline CPU of {cpu.arch} architecture", code=Code.NO_SUPPORT, domain=Origin.CPU
            )
    vendor = _common_vendor(cpus)
    features = features_of(cpus[0])
    for cpu in cpus[1:]:
        features &= features_of(cpu)
    if available is not None:
        features &= frozenset(available)
    if not features:
        raise OperationFailedError("CPUs are incompatible", domain=Origin.CPU)
    names = list(dict.fromkeys(cpu.model for cpu in cpus if cpu.model))
    result = decode(Processor(features, vendor), host=False, usable=usable, preferred=names, migratable=migratable)
    if names == [result.model]:
        result.fallback = "forbid"
    if any(cpu.vendor is None for cpu in cpus):
        result.vendor = None
    return result


def _common_vendor(cpus: Sequence[CpuDefinition]) -> str | None:
    vendor: str | None = None
    for index, cpu in enumerate(cpus):
        own = _model(cpu.model or "").vendor
        if index and cpu.vendor and own and cpu.vendor != own:
            raise OperationFailedError(
                f"CPU vendor {own} of model {cpu.model} differs from vendor {cpu.vendor}", domain=Origin.CPU
            )
        name = cpu.vendor or (own if index else None)
        if name is None:
            continue
        if name not in table().vendors:
            raise OperationFailedError(f"Unknown CPU vendor {name}", domain=Origin.CPU)
        if vendor is not None and name != vendor:
            raise OperationFailedError("CPU vendors do not match", domain=Origin.CPU)
        vendor = name
    return vendor


def expand(cpu: CpuDefinition) -> CpuDefinition:
    """`cpu` with every feature of its model listed by name, those of `cpu` itself applied on top."""
    model = _model(cpu.model or "")
    features = dict.fromkeys(model.features, "require")
    for name, policy in cpu.features.items():
        if cpu.host or policy in ("require", "disable"):
            features[name] = policy
    if not cpu.host:
        for name in model.removed:
            features.setdefault(name, "disable")
    cpu.features = {name: features[name] for name in sorted(features)}
    return cpu
