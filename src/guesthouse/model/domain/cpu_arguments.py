"""The processor on QEMU's command line: `-cpu` and `-smp`.

Properties: QEMU's `docs/system/i386/hyperv.rst` and `qemu-system-x86_64 -cpu help`.
"""

from __future__ import annotations

from typing import Final

from guesthouse.errors import UnsupportedConfigError
from guesthouse.model.cpu_models import X86
from guesthouse.model.domain.cpu import Cpu
from guesthouse.model.domain.definition import Domain
from guesthouse.model.domain.features import Features
from guesthouse.model.domain.launch import LaunchContext

#: Names of features that QEMU spells in another way.
_SPELLINGS: Final = {
    "cmp_legacy": "cmp-legacy",
    "ds_cpl": "ds-cpl",
    "fxsr_opt": "fxsr-opt",
    "kvm_pv_eoi": "kvm-pv-eoi",
    "kvm_pv_unhalt": "kvm-pv-unhalt",
    "lahf_lm": "lahf-lm",
    "nodeid_msr": "nodeid-msr",
    "pclmuldq": "pclmulqdq",
    "perfctr_core": "perfctr-core",
    "perfctr_nb": "perfctr-nb",
    "tsc_adjust": "tsc-adjust",
}


_DEFAULT_MODELS: Final = {"i686": "qemu32", "x86_64": "qemu64"}


def on_off(state: bool) -> str:
    """QEMU's words for a truth value."""
    return "on" if state else "off"


def cpu_arguments(domain: Domain, launch: LaunchContext) -> list[str]:
    """`-cpu MODEL,…`; nothing where the machine's own processor is taken as it is."""
    flags = _clock_flags(domain)
    if domain.features is not None:
        flags += _feature_flags(domain.features, crash=any(panic.model == "hyperv" for panic in domain.devices.panics))
    cpu = domain.cpu
    if cpu is not None:
        flags += _cache_flags(cpu) + _address_flags(cpu)
    model = _model_words(cpu, domain.os.arch, launch) if cpu is not None and cpu.mode is not None else []
    if not model and flags:
        model = [_default_model(domain.os.arch)]
    return ["-cpu", ",".join(model + flags)] if model else []


def _default_model(arch: str) -> str:
    """What flags are added to where the definition names no processor."""
    model = _DEFAULT_MODELS.get(arch)
    if model is None:
        raise UnsupportedConfigError(f"CPU flags requested but can't determine default CPU for arch {arch}")
    return model


def _model_words(cpu: Cpu, arch: str, launch: LaunchContext) -> list[str]:
    if cpu.mode == "custom":
        words = [(cpu.model.name if cpu.model else None) or "qemu64"]
    else:
        words = ["max" if cpu.mode == "maximum" else "host"]
        if arch == "armv7l" and launch.host_arch == "aarch64":
            words.append("aarch64=off")
    if cpu.migratable is not None:
        words.append(f"migratable={on_off(cpu.migratable)}")
    if cpu.model is not None and cpu.model.vendor_id is not None:
        words.append(f"vendor={cpu.model.vendor_id}")
    # What QEMU does not know on x86 it has not got either.
    known = launch.caps.cpu_expansions.get(launch.accel, {}) if launch.caps.guest_arch in X86 else {}
    for feature in cpu.features:
        name = _SPELLINGS.get(feature.name, feature.name)
        if feature.policy in ("force", "require"):
            words.append(f"{name}=on")
        elif feature.policy in ("disable", "forbid") and (not known or name in known):
            words.append(f"{name}=off")
    return words


def _clock_flags(domain: Domain) -> list[str]:
    flags: list[str] = []
    for timer in domain.clock.timers:
        if timer.name == "kvmclock" and timer.present is not None:
            flags.append(f"kvmclock={on_off(timer.present)}")
        elif timer.name == "hypervclock" and timer.present:
            flags.append("hv-time=on")
        elif timer.name == "tsc" and timer.frequency:
            flags.append(f"tsc-frequency={timer.frequency}")
        elif timer.name == "armvtimer" and timer.tickpolicy is not None:
            flags.append(f"kvm-no-adjvtime={on_off(timer.tickpolicy == 'discard')}")
    return flags


def _feature_flags(features: Features, *, crash: bool) -> list[str]:
    flags: list[str] = []
    if features.apic is not None and features.apic.eoi is not None:
        flags.append(f"kvm-pv-eoi={on_off(features.apic.eoi)}")
    if features.pvspinlock is not None:
        flags.append(f"kvm-pv-unhalt={on_off(features.pvspinlock)}")
    if features.hyperv is not None:
        flags += features.hyperv.flags()
    if crash:
        flags.append("hv-crash")
    kvm = features.kvm
    if kvm is not None:
        flags += ["kvm=off"] if kvm.hidden else []
        flags += ["kvm-hint-dedicated=on"] if kvm.dedicated else []
        flags += ["kvm-poll-control=on"] if kvm.poll_control else []
        flags += ["kvm-pv-ipi=off"] if kvm.pv_ipi is False else []
    if features.pmu is not None:
        flags.append(f"pmu={on_off(features.pmu)}")
    return flags


def _cache_flags(cpu: Cpu) -> list[str]:
    if cpu.cache is None:
        return []
    if cpu.cache.mode == "passthrough":
        return ["host-cache-info=on", "l3-cache=off"]
    host = ["host-cache-info=off"] if cpu.mode in ("host-passthrough", "maximum") else []
    return ["l3-cache=on", *host] if cpu.cache.mode == "emulate" else [*host, "l3-cache=off"]


def _address_flags(cpu: Cpu) -> list[str]:
    address = cpu.maxphysaddr
    if address is None:
        return []
    if address.mode == "passthrough":
        return ["host-phys-bits=on"] + ([f"host-phys-bits-limit={address.limit}"] if address.limit else [])
    return [f"phys-bits={address.bits}"] if address.bits else ["host-phys-bits=off"]
