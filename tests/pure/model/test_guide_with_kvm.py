"""The guide's processors of sections 8.1, 8.4.2 and 8.6 on a host with KVM, as QEMU's `-cpu` and `-accel`."""

from __future__ import annotations

import dataclasses

import pytest

from guesthouse.model.binding import Style
from guesthouse.model.cpu_models import table
from guesthouse.model.domain.command_line import prepare, realise
from guesthouse.model.domain.complete import complete
from guesthouse.model.domain.document import format_domain, parse_domain
from guesthouse.model.domain.launch import LaunchContext
from guesthouse.model.qemu_capabilities import KVM, CpuModel, QemuCapabilities
from tests.support.capabilities import host_defaults, qemu_capabilities

_MODELS = ("qemu64", "Nehalem", "Skylake-Client-IBRS")
#: As printed in 8.4.2.
_PRINTED = "vme ds acpi ss ht tm pbe dtes64 monitor ds_cpl vmx est tm2 xtpr pdcm dca rdtscp invtsc"
_FEATURES = _PRINTED.split()
NEHALEM = (
    "<cpu mode='custom' match='exact'><model fallback='allow'>Nehalem</model>"
    + "".join(f"<feature policy='require' name='{name}'/>" for name in _FEATURES)
    + "</cpu>"
)
SKYLAKE = "<cpu mode='custom' match='exact' check='partial'><model fallback='allow'>Skylake-Client-IBRS</model></cpu>"
WITHOUT_VMX = "<cpu mode='host-passthrough'><feature policy='disable' name='vmx'/></cpu>"
LARGE = "<cpu mode='host-model' check='partial'><maxphysaddr mode='passthrough'/></cpu>"


def _capabilities() -> QemuCapabilities:
    """A QEMU with KVM on a host with all that the guide's processors take."""
    best: dict[str, bool | int | str] = dict.fromkeys(table().models["Skylake-Client-IBRS"].features, True)
    best |= dict.fromkeys(_FEATURES, True)
    best |= {"vendor": "GenuineIntel", "family": 6, "model": 94, "stepping": 3}
    return dataclasses.replace(
        qemu_capabilities(kvm=True),
        cpu_models={KVM: tuple(CpuModel(name) for name in _MODELS)},
        cpu_expansions={KVM: best},
    )


@pytest.mark.parametrize(
    ("cpu", "found"),
    [
        ("<cpu mode='host-passthrough'/>", "host,migratable=on"),
        (WITHOUT_VMX, "host,migratable=on,vmx=off"),
        (NEHALEM, "Nehalem," + ",".join(f"{name.replace('_', '-')}=on" for name in _FEATURES)),
        (SKYLAKE, "Skylake-Client-IBRS"),
    ],
    ids=["host-passthrough", "without vmx", "Nehalem", "example 7"],
)
def test_the_processor_is_told_to_qemu(cpu: str, found: str) -> None:
    argv = _argv(cpu)
    assert argv[argv.index("-accel") + 1] == "kvm"
    assert argv[argv.index("-cpu") + 1] == found


def test_addresses_are_as_wide_as_the_hosts() -> None:
    """Section 8.6: the host's model is named, and its width of addresses taken over."""
    argv = _argv(LARGE)
    words = argv[argv.index("-cpu") + 1].split(",")
    assert words[0] == "Skylake-Client-IBRS"
    assert "host-phys-bits=on" in words


def _argv(cpu: str) -> list[str]:
    caps = _capabilities()
    domain = parse_domain(
        "<domain type='kvm'><name>sles15</name><memory unit='KiB'>2097152</memory>"
        f"<os><type arch='x86_64' machine='q35'>hvm</type></os><features><acpi/><apic/></features>{cpu}</domain>"
    )
    complete(domain, caps, defaults=host_defaults())
    again = parse_domain(format_domain(domain, Style()))
    launch = LaunchContext(
        caps, guest_dir="/g", channel_dir="/c", accel="kvm", host_features=lambda: frozenset({"invtsc", "tsc"})
    )
    prepare(again, launch)
    return realise(again, launch).argv
