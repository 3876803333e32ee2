"""Sections of a definition: what is written is read back, and what every section means."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from guesthouse.errors import XmlError
from guesthouse.model.binding import Reading, Style, new, read, tag_of, write
from guesthouse.model.domain import clock_arguments
from guesthouse.model.domain.clock import Clock, Timer
from guesthouse.model.domain.complete import complete
from guesthouse.model.domain.cpu import Cpu, CpuFeature, CpuModel, Topology
from guesthouse.model.domain.document import copy, format_domain, parse_domain
from guesthouse.model.domain.features import Features, Kvm, Smm
from guesthouse.model.domain.hyperv import Hyperv, Spinlocks
from guesthouse.model.domain.memory import Memory, in_kib
from guesthouse.model.domain.migratable import leave_out_implicit
from guesthouse.model.domain.os import BootDevice, BootMenu, Loader, Nvram, Os, OsType
from guesthouse.model.domain.power import PowerManagement
from guesthouse.model.domain.vcpu import Vcpu
from guesthouse.model.xmltext import Lines, parse_document
from tests.support.capabilities import host_defaults, qemu_capabilities


def _again(item: object) -> object:
    lines = Lines()
    write(item, lines, Style())
    tag = tag_of(type(item))
    return read(type(item), parse_document(lines.text(), tag, tag), Reading())


SWITCH = st.none() | st.booleans()
COUNT = st.integers(1, 64)
WORD = st.text(
    st.characters(min_codepoint=0x21, max_codepoint=0x17F, blacklist_characters=","), min_size=1, max_size=20
)
PATH = WORD.map(lambda word: "/" + word)


@given(
    st.builds(
        lambda **values: new(Features, **values),
        acpi=st.booleans(),
        pae=st.booleans(),
        pmu=SWITCH,
        vmport=SWITCH,
        pvspinlock=SWITCH,
        ps2=SWITCH,
        kvm=st.none() | st.builds(lambda hidden, pv_ipi: new(Kvm, hidden=hidden, pv_ipi=pv_ipi), SWITCH, SWITCH),
        smm=st.none() | st.builds(lambda state: new(Smm, state=state), st.booleans()),
        hyperv=st.none()
        | st.builds(
            lambda relaxed, retries: new(
                Hyperv, relaxed=relaxed, spinlocks=retries and new(Spinlocks, state=True, retries=retries)
            ),
            SWITCH,
            st.none() | st.integers(4095, 2**32 - 1),
        ),
    )
)
def test_features_read_back(features: Features) -> None:
    assume(features != new(Features))  # of nothing, nothing is written
    assert _again(features) == features


POLICY = st.sampled_from(["force", "require", "optional", "disable", "forbid"])


@given(
    st.sampled_from(["qemu64", "EPYC-Rome-v4"]),
    st.dictionaries(st.text("abcdefgh0123456789-._", min_size=1, max_size=8), POLICY, max_size=6),
    st.none() | st.tuples(COUNT, COUNT, COUNT),
)
def test_processors_read_back(model: str, features: dict[str, str], counts: tuple[int, int, int] | None) -> None:
    cpu = new(
        Cpu,
        mode="custom",
        match="exact",
        check="none",
        model=new(CpuModel, name=model, fallback="forbid"),
        features=[new(CpuFeature, name=name, policy=policy) for name, policy in features.items()],
        topology=counts and new(Topology, sockets=counts[0], cores=counts[1], threads=counts[2]),
    )
    assert _again(cpu) == cpu


@given(
    st.sampled_from(["utc", "localtime"]),
    st.integers(-(10**9), 10**9),
    st.lists(st.sampled_from(["pit", "rtc", "hpet", "tsc", "kvmclock"]), unique=True),
    SWITCH,
)
def test_clocks_read_back(basis: str, adjustment: int, timers: list[str], present: bool | None) -> None:
    clock = new(
        Clock,
        offset="variable",
        adjustment=str(adjustment),
        basis=basis,
        timers=[new(Timer, name=name, present=present) for name in timers],
    )
    assert _again(clock) == clock


@given(
    WORD, st.none() | PATH, st.none() | WORD, st.lists(st.sampled_from(["hd", "cdrom", "network", "fd"]), max_size=4)
)
def test_boot_settings_read_back(machine: str, kernel: str | None, cmdline: str | None, order: list[str]) -> None:
    boot = new(
        Os,
        type=new(OsType, kind="hvm", arch="x86_64", machine=machine),
        kernel=kernel,
        cmdline=cmdline,
        boot=[new(BootDevice, dev=dev) for dev in order],
        bootmenu=new(BootMenu, enable=True, timeout=len(order)),
        loader=kernel and new(Loader, type="pflash", path=kernel),
        nvram=kernel and new(Nvram, text=kernel, template=kernel),
    )
    assert _again(boot) == boot


@given(SWITCH, SWITCH)
def test_power_management_reads_back(mem: bool | None, disk: bool | None) -> None:
    pm = new(PowerManagement, suspend_to_mem=mem, suspend_to_disk=disk)
    if mem is None and disk is None:
        lines = Lines()
        write(pm, lines, Style())
        assert lines.lines == []
    else:
        assert _again(pm) == pm


@pytest.mark.parametrize(
    ("text", "kib"),
    [
        ("<memory>5</memory>", 5),
        ("<memory unit='b'>1025</memory>", 2),
        ("<memory unit='bytes'>1024</memory>", 1),
        ("<memory unit='KB'>1024</memory>", 1000),
        ("<memory unit='k'>7</memory>", 7),
        ("<memory unit='MiB'>1</memory>", 1024),
        ("<memory unit='M'>1</memory>", 1024),
        ("<memory unit='MB'>1</memory>", 977),
        ("<memory unit='gib'>2</memory>", 2 * 1024**2),
        ("<memory unit='TiB'>1</memory>", 1024**3),
    ],
)
def test_units_of_memory(text: str, kib: int) -> None:
    memory = read(Memory, parse_document(text, "memory", "memory"), Reading())
    assert (memory.kib, memory.unit) == (kib, "KiB")


def test_a_size_beyond_64_bits_overflows() -> None:
    with pytest.raises(Exception, match="value too large: 99EiB"):
        in_kib(99, "EiB")


def test_all_processors_online_says_nothing() -> None:
    vcpu = read(Vcpu, parse_document("<vcpu current='4'>4</vcpu>", "vcpu", "vcpu"), Reading())
    assert (vcpu.current, vcpu.online) == (None, 4)


BASE = "<domain type='{type}'><name>g</name><memory>1048576</memory><os><type>hvm</type></os>{rest}</domain>"


def _completed(rest: str, kind: str = "qemu") -> str:
    domain = parse_domain(BASE.format(type=kind, rest=rest))
    complete(domain, qemu_capabilities(kvm=kind == "kvm"), defaults=host_defaults())
    return format_domain(domain, Style())


@pytest.mark.parametrize(
    ("kind", "given_", "kept"),
    [
        ("qemu", "", "<cpu mode='custom' match='exact' check='none'>\n    <model fallback='forbid'>qemu64</model>"),
        ("kvm", "", "<cpu mode='custom' match='exact' check='none'>\n    <model fallback='forbid'>qemu64</model>"),
        ("qemu", "<cpu mode='host-model'/>", "<cpu mode='host-model' check='partial'/>"),
        ("qemu", "<cpu mode='maximum'/>", "<cpu mode='maximum' check='none'/>"),
        ("kvm", "<cpu mode='host-passthrough'/>", "<cpu mode='host-passthrough' check='none' migratable='on'/>"),
        ("qemu", "<cpu><model>EPYC</model></cpu>", "<cpu mode='custom' match='exact' check='none'>"),
        ("kvm", "<cpu><model>EPYC</model></cpu>", "<cpu mode='custom' match='exact' check='partial'>"),
        (
            "qemu",
            "<cpu><topology sockets='1' cores='1' threads='1'/></cpu>",
            "qemu64</model>\n    <topology sockets='1' dies='1' clusters='1' cores='1' threads='1'/>",
        ),
        ("qemu", "", "<clock offset='utc'/>"),
        ("qemu", "<clock offset='utc' adjustment='5'/>", "<clock offset='variable' adjustment='5' basis='utc'/>"),
        ("qemu", "<clock offset='localtime' adjustment='reset'/>", "<clock offset='localtime' adjustment='reset'/>"),
        ("qemu", "", "<on_crash>destroy</on_crash>"),
        ("qemu", "<currentMemory>9999999999</currentMemory>", "<currentMemory unit='KiB'>1048576</currentMemory>"),
        ("qemu", "", "<type arch='x86_64' machine='pc-i440fx-10.0'>hvm</type>\n    <boot dev='hd'/>"),
    ],
)
def test_what_is_left_open_is_filled_in(kind: str, given_: str, kept: str) -> None:
    assert kept in _completed(given_, kind)


def test_metadata_keeps_one_element_a_namespace() -> None:
    text = _completed(
        "<metadata><a:x xmlns:a='urn:a'>1</a:x><plain/><b:y xmlns:b='urn:a'/><z xmlns='urn:z'><deep/></z></metadata>"
    )
    assert "<plain" not in text
    assert "<b:y" not in text
    assert '<a:x xmlns:a="urn:a">1</a:x>' in text
    assert '<z xmlns="urn:z">\n      <deep/>\n    </z>' in text


def test_a_title_has_one_line() -> None:
    with pytest.raises(XmlError, match="Domain title can't contain newlines"):
        _completed("<title>a\nb</title>")


def test_another_host_adds_the_implicit_devices_itself() -> None:
    text = _completed("").replace("pc-i440fx-10.0", "pc-q35-10.0")
    domain = parse_domain(text[: text.index("<devices>")] + "<devices><graphics type='vnc'/></devices></domain>")
    complete(domain, qemu_capabilities(), defaults=host_defaults())
    configured, graphics = copy(domain), domain.devices.graphics[0]
    graphics.port, graphics.listen, graphics.listens[0].address = 5901, "127.0.0.1", "127.0.0.1"
    leave_out_implicit(domain, configured)
    sent = format_domain(domain, Style(migratable=True))
    assert "<input type='mouse' bus='ps2'/>" in sent
    assert not [word for word in ("keyboard", "itco", "<audio", "5901", "127.0.0.1") if word in sent]
    assert "<listen type='address'/>" in sent


def test_firmware_is_chosen_and_written_down() -> None:
    rest = "<features><acpi/></features>"
    text = _completed(rest).replace("<os>", "<os firmware='efi'>").replace("pc-i440fx-10.0", "pc-q35-10.0")
    text = text[: text.index("<devices>")] + "</domain>"
    domain = parse_domain(text)
    complete(domain, qemu_capabilities(), defaults=host_defaults())
    assert domain.os.loader is not None
    assert domain.os.nvram is not None
    assert (domain.os.loader.path, domain.os.nvram.path) == (
        "/usr/share/OVMF/OVMF_CODE_4M.ms.fd",
        "/var/lib/libvirt/qemu/nvram/g_VARS.fd",
    )
    assert domain.features is not None
    assert domain.features.smm is not None
    assert domain.features.smm.state


def test_a_clock_keeps_what_it_was_started_with_in_status_files_alone() -> None:
    clock = new(Clock, offset="variable", adjustment="60", basis="localtime")
    clock_arguments.settle(clock, datetime(2026, 1, 2, tzinfo=UTC))
    started = clock.adjustment0
    assert started == int(clock.adjustment or 0)
    assert clock.basis == "utc"
    assert clock.changed(3600)
    assert clock.adjustment == str((started or 0) + 3600)
    for style, shown in ((Style(live=True), False), (Style(live=True, status=True), True)):
        lines = Lines()
        write(clock, lines, style)
        assert (f"adjustment0='{started}'" in lines.text()) == shown
    assert not new(Clock, offset="utc").changed(1)
