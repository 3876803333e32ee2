"""What a definition's processor becomes at the start, and what QEMU's report changes of it."""

from __future__ import annotations

import dataclasses

import pytest

from guesthouse.errors import Code, LibvirtError
from guesthouse.model.cpu_models import table
from guesthouse.model.domain.cpu_report import CpuReport, apply, can_refuse, is_wanted
from guesthouse.model.domain.cpu_resolving import resolve
from guesthouse.model.domain.definition import Domain
from guesthouse.model.domain.document import parse_domain
from guesthouse.model.domain.launch import LaunchContext
from guesthouse.model.qemu_capabilities import KVM, TCG, CpuModel, QemuCapabilities
from tests.support.capabilities import qemu_capabilities

#: What the best processor of the tests' QEMU has: Penryn, the EPYC's vendor apart, and a few features more.
_BEST = table().models["Penryn"].features | {"aes", "hypervisor"}


def _capabilities() -> QemuCapabilities:
    models = (
        CpuModel("qemu64"),
        CpuModel("Penryn"),
        CpuModel("Nehalem", unavailable=("popcnt", "sse4-2")),
        CpuModel("Skylake-Client", unavailable=("avx2",)),
    )
    best: dict[str, bool | int | str] = dict.fromkeys(_BEST, True)
    best |= {"vendor": "GenuineIntel", "family": 6, "model": 23, "stepping": 0, "avx512f": False}
    return dataclasses.replace(
        qemu_capabilities(kvm=True), cpu_models={TCG: models, KVM: models}, cpu_expansions={TCG: best, KVM: best}
    )


def _domain(cpu: str, kind: str = "qemu", features: str = "") -> Domain:
    return parse_domain(
        f"<domain type='{kind}'><name>g</name><memory>1048576</memory>"
        f"<os><type arch='x86_64' machine='pc-i440fx-10.0'>hvm</type></os>{features}{cpu}</domain>"
    )


def _resolved(
    cpu: str, kind: str = "qemu", *, host_arch: str = "x86_64", host_features: frozenset[str] = frozenset()
) -> Domain:
    domain = _domain(cpu, kind)
    accel = KVM if kind == "kvm" else TCG
    launch = LaunchContext(
        _capabilities(), guest_dir="/g", accel=accel, host_arch=host_arch, host_features=lambda: host_features
    )
    resolve(domain, launch)
    return domain


def _shown(domain: Domain) -> tuple[str | None, str | None, dict[str, str]]:
    cpu = domain.cpu
    assert cpu is not None
    assert cpu.model is not None
    return cpu.mode, cpu.model.name, {feature.name: feature.policy for feature in cpu.features}


def test_a_host_model_is_named() -> None:
    domain = _resolved("<cpu mode='host-model' check='partial'><feature policy='disable' name='aes'/></cpu>")
    assert _shown(domain) == ("custom", "Penryn", {"hypervisor": "require", "aes": "disable"})
    assert domain.cpu is not None
    assert domain.cpu.vendor == "Intel"
    assert domain.cpu.model is not None
    assert domain.cpu.model.fallback == "forbid"


def test_at_least_a_model_is_the_best_there_is() -> None:
    domain = _resolved("<cpu match='minimum' check='none'><model>Penryn</model></cpu>")
    assert _shown(domain) == ("custom", "Penryn", {"aes": "require", "hypervisor": "require"})
    assert domain.cpu is not None
    assert (domain.cpu.match, domain.cpu.vendor) == ("exact", None)


def test_optional_features_are_decided() -> None:
    features = "".join(f"<feature policy='optional' name='{name}'/>" for name in ("aes", "avx512f"))
    domain = _resolved(f"<cpu check='none'><model>Penryn</model>{features}</cpu>")
    assert _shown(domain)[2] == {"aes": "require", "avx512f": "disable"}


def test_features_that_a_model_lost_are_disabled() -> None:
    assert _shown(_resolved("<cpu check='none'><model>Skylake-Client</model></cpu>"))[2] == {"mpx": "disable"}
    kept = "<cpu check='none'><model>Skylake-Client</model><feature name='mpx'/></cpu>"
    assert _shown(_resolved(kept))[2] == {"mpx": "require"}


def test_what_qemu_never_had_is_left_out() -> None:
    domain = _resolved("<cpu check='none'><model>Penryn</model><feature name='osxsave'/></cpu>")
    assert _shown(domain)[2] == {}


def test_a_model_that_qemu_lacks_is_described_by_another() -> None:
    mode, model, features = _shown(_resolved("<cpu check='none'><model>Penryn-v1</model></cpu>"))
    assert (mode, model, features) == ("custom", "Penryn", {})


def test_with_kvm_the_host_may_have_more_than_qemu_passes_on() -> None:
    cpu = "<cpu check='partial'><model>Penryn</model><feature name='ds_cpl'/></cpu>"
    with pytest.raises(LibvirtError, match="required features: ds_cpl"):
        _resolved(cpu, "kvm")
    assert _shown(_resolved(cpu, "kvm", host_features=_BEST | {"ds_cpl"}))[2] == {"ds_cpl": "require"}


@pytest.mark.parametrize(
    ("cpu", "code", "text"),
    [
        (
            "<cpu mode='host-passthrough'/>",
            Code.CONFIG_UNSUPPORTED,
            "CPU mode 'host-passthrough' for x86_64 qemu",
        ),
        ("<cpu check='partial'><model>Nehalem</model></cpu>", Code.CPU_INCOMPATIBLE, "sse4.2, popcnt"),
        ("<cpu check='partial'><model>Skylake-Client</model></cpu>", Code.CPU_INCOMPATIBLE, "avx2"),
        (
            "<cpu mode='host-model' check='partial'><feature policy='forbid' name='hypervisor'/></cpu>",
            Code.CPU_INCOMPATIBLE,
            "Host CPU provides forbidden feature 'hypervisor'",
        ),
        (
            "<cpu check='none'><model fallback='forbid'>EPYC</model></cpu>",
            Code.CONFIG_UNSUPPORTED,
            "CPU model EPYC is not supported by hypervisor",
        ),
        ("<cpu check='none'><model>Unheard</model></cpu>", Code.INTERNAL_ERROR, "Unknown CPU model Unheard"),
        (
            "<cpu check='none'><model>Penryn</model><feature name='unheard'/></cpu>",
            Code.CONFIG_UNSUPPORTED,
            "unknown CPU feature: unheard",
        ),
    ],
)
def test_refusals(cpu: str, code: int, text: str) -> None:
    with pytest.raises(LibvirtError, match=text) as caught:
        _resolved(cpu)
    assert caught.value.code == code


def test_a_host_model_of_another_architecture_is_refused() -> None:
    with pytest.raises(LibvirtError, match="domain on aarch64 host is not supported by hypervisor"):
        _resolved("<cpu mode='host-model'/>", host_arch="aarch64")


def _report(*features: str, unavailable: tuple[str, ...] = ()) -> CpuReport:
    """A report whose registers show these features."""
    cpuid: dict[tuple[int, int], dict[str, int]] = {}
    for name in features:
        where = table().bits[name]
        registers = cpuid.setdefault((where.leaf, where.subleaf), {})
        registers[where.register] = registers.get(where.register, 0) | 1 << where.bit
    return CpuReport(cpuid, unavailable)


def test_a_report_names_what_is_more_and_what_is_less() -> None:
    domain = _domain("<cpu check='none'><model>Penryn</model><feature name='aes'/></cpu>")
    there = table().models["Penryn"].features - {"vme"}
    apply(domain, _report(*there, "hypervisor", unavailable=("aes", "sse4-2")))
    assert domain.cpu is not None
    assert domain.cpu.check == "full"
    assert _shown(domain)[2] == {"aes": "disable", "sse4.2": "disable", "hypervisor": "require"} | (
        {"vme": "disable"} if "vme" in table().models["Penryn"].features else {}
    )


def test_registers_that_cpuid_does_not_show_are_taken_on_trust() -> None:
    has = table().models["Penryn"].features
    cpu = "<cpu check='none'><model>Penryn</model><feature name='arch-capabilities'/><feature name='rdctl-no'/></cpu>"
    domain = _domain(cpu)
    apply(domain, _report(*has, "arch-capabilities"))
    assert _shown(domain)[2]["rdctl-no"] == "require"
    domain = _domain(cpu)
    apply(domain, _report(*has))
    assert _shown(domain)[2] == {"arch-capabilities": "disable", "rdctl-no": "disable"}


@pytest.mark.parametrize(
    ("has", "unavailable", "text"),
    [
        (("hypervisor",), (), "extra features: hypervisor$"),
        ((), ("sse4-1",), "missing features: sse4.1$"),
        (("hypervisor",), ("sse4-1",), "extra features: hypervisor, missing features: sse4.1$"),
    ],
)
def test_a_full_check_refuses_differences(has: tuple[str, ...], unavailable: tuple[str, ...], text: str) -> None:
    domain = _domain("<cpu check='full'><model>Penryn</model></cpu>")
    there = table().models["Penryn"].features - {table().canonical(name) for name in unavailable}
    with pytest.raises(LibvirtError, match=f"guest CPU doesn't match specification: {text}") as caught:
        apply(domain, _report(*there, *has, unavailable=unavailable))
    assert caught.value.code == Code.OPERATION_FAILED


@pytest.mark.parametrize(
    ("cpu", "features", "wanted", "refusing"),
    [
        ("", "", False, False),
        ("<cpu mode='maximum' check='none'/>", "", False, False),
        ("<cpu mode='maximum' check='full'/>", "", True, True),
        ("<cpu check='none'><model>qemu64</model></cpu>", "", True, False),
        ("<cpu check='full'><model>qemu64</model></cpu>", "", True, True),
        ("<cpu check='none'><model>qemu64</model><feature name='invtsc'/></cpu>", "", True, True),
        ("<cpu mode='maximum' check='none'/>", "<features><pvspinlock/></features>", True, True),
    ],
)
def test_qemu_is_asked_only_for_what_matters(cpu: str, features: str, wanted: bool, refusing: bool) -> None:
    domain = _domain(cpu, features=features)
    assert (is_wanted(domain), can_refuse(domain)) == (wanted, refusing)
