"""Processors as QEMU tells them, in libvirt's names: the best that it can offer, and what keeps a model from running.

QEMU names features its own way and describes its best processor by properties; `QemuCapabilities` holds what it said.
"""

from __future__ import annotations

from copy import deepcopy
from typing import Final

from guesthouse.model.cpu_definition import CpuDefinition
from guesthouse.model.cpu_matching import Processor, decode
from guesthouse.model.cpu_models import X86, Signature, table
from guesthouse.model.qemu_capabilities import QemuCapabilities

#: Program and accelerator, to the host model and the capabilities that it was found from.
_host_models: Final[dict[tuple[str, str], tuple[QemuCapabilities, CpuDefinition | None]]] = {}


def blockers(capabilities: QemuCapabilities, accelerator: str) -> dict[str, tuple[str, ...]]:
    """The models of an accelerator, each with the features that this host lacks for it, sorted."""
    cpus = table()
    return {
        model.name: tuple(sorted({cpus.canonical(name) for name in model.unavailable}))
        for model in capabilities.cpu_models.get(accelerator, ())
    }


def known_features(capabilities: QemuCapabilities, accelerator: str) -> frozenset[str]:
    """The features that QEMU knows with an accelerator, whether this host has them or not."""
    best = capabilities.cpu_expansions.get(accelerator, {})
    return frozenset(table().canonical(name) for name, value in best.items() if isinstance(value, bool))


def host_model(capabilities: QemuCapabilities, accelerator: str) -> CpuDefinition | None:
    """The guest processor that `<cpu mode='host-model'>` stands for: a named model with differences.

    None where QEMU does not tell, or for another architecture than x86 and s390x. Found once for each program, since
    every start of such a guest asks.
    """
    known = _host_models.get((capabilities.binary, accelerator))
    if known is None or known[0] is not capabilities:
        known = _host_models[capabilities.binary, accelerator] = (capabilities, _host_model(capabilities, accelerator))
    return deepcopy(known[1])


def _host_model(capabilities: QemuCapabilities, accelerator: str) -> CpuDefinition | None:
    static = capabilities.static_models.get(accelerator)
    if static is not None:
        return CpuDefinition(
            mode="custom",
            match="exact",
            model=static.name,
            fallback="forbid",
            features=dict.fromkeys(static.features, "require"),
        )
    best = capabilities.cpu_expansions.get(accelerator)
    if not best or capabilities.guest_arch not in X86:
        return None
    cpus = table()
    features = frozenset(cpus.canonical(name) for name, value in best.items() if value is True)
    vendor = best.get("vendor")
    processor = Processor(
        features & frozenset(cpus.bits), cpus.vendor_of(vendor) if isinstance(vendor, str) else None, _signature(best)
    )
    cpu = decode(processor, host=False, usable=blockers(capabilities, accelerator))
    cpu.fallback = "forbid"
    return cpu


def _signature(best: dict[str, bool | int | str]) -> Signature | None:
    family, model, stepping = (best.get(name) for name in ("family", "model", "stepping"))
    if isinstance(family, int) and isinstance(model, int) and isinstance(stepping, int):
        return Signature(family, model, stepping)
    return None
