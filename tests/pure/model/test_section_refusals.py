"""Features, clocks, firmware and security that a guest of QEMU, or of an architecture, cannot have."""

from __future__ import annotations

import contextlib

import pytest

from guesthouse.errors import Code, LibvirtError
from guesthouse.model.domain import seclabel
from guesthouse.model.domain.complete import complete
from guesthouse.model.domain.devices.labels import labels_of
from guesthouse.model.domain.document import parse_domain
from tests.support.capabilities import host_defaults, qemu_capabilities

_GUEST = """<domain type='{kind}'><name>g</name><memory>65536</memory>
  <os><type arch='x86_64' machine='{machine}'>hvm</type>{boot}</os>{sections}</domain>"""


def _define(sections: str, *, kind: str = "qemu", machine: str = "q35", boot: str = "") -> None:
    domain = parse_domain(_GUEST.format(kind=kind, machine=machine, boot=boot, sections=sections))
    complete(domain, qemu_capabilities(kvm=True), defaults=host_defaults())


def _refused(words: str, code: int, sections: str, *, kind: str = "qemu", machine: str = "q35", boot: str = "") -> None:
    with pytest.raises(LibvirtError) as caught:
        _define(sections, kind=kind, machine=machine, boot=boot)
    assert words in str(caught.value)
    assert caught.value.code == code


@pytest.mark.parametrize(
    ("feature", "words"),
    [
        ("<hpt resizing='enabled'/>", "The 'hpt' feature is not supported for architecture 'x86_64'"),
        ("<htm state='on'/>", "The 'htm' feature"),
        ("<nested-hv state='on'/>", "The 'nested-hv' feature"),
        ("<ccf-assist state='on'/>", "The 'ccf-assist' feature"),
        ("<cfpc value='fixed'/>", "The 'cfpc' feature"),
        ("<sbbc value='fixed'/>", "The 'sbbc' feature"),
        ("<ibs value='fixed-na'/>", "The 'ibs' feature"),
        ("<gic version='3'/>", "The 'gic' feature"),
        ("<ras state='on'/>", "ras feature is only supported with ARM Virt machines"),
        ("<aia value='aplic'/>", "aia feature is only supported with RISC-V Virt machines"),
        ("<tcg><tb-cache unit='KiB'>1000</tb-cache></tcg>", "tb-cache size must be an integer multiple of MiB"),
        ("<async-teardown/>", "asynchronous teardown is not available with this QEMU binary"),
        ("<vmport state='on'/><ps2 state='off'/>", "vmport feature requires the ps2 feature"),
        ("<msrs unknown='ignore'/>", "msrs unknown='ignore'"),
    ],
)
def test_features(feature: str, words: str) -> None:
    _refused(words, Code.CONFIG_UNSUPPORTED, f"<features><acpi/>{feature}</features>")


@pytest.mark.parametrize(
    ("feature", "words"),
    [
        ("<kvm><dirty-ring state='on' size='1000'/></kvm>", "dirty ring must be power of 2"),
        ("<kvm><dirty-ring state='on'/></kvm>", "Missing required attribute 'size'"),
        ("<hyperv><spinlocks state='on' retries='7'/></hyperv>", "retry count must be at least 4095"),
        ("<hyperv><vendor_id state='on' value='much too long'/></hyperv>", "must not be more than 12 characters"),
        ("<hyperv><vendor_id state='on' value='a,b'/></hyperv>", "vendor_id value is invalid"),
    ],
)
def test_wrong_values_of_features(feature: str, words: str) -> None:
    _refused(words, Code.XML_ERROR, f"<features>{feature}</features>")


def test_translated_code_belongs_to_tcg() -> None:
    section = "<features><tcg><tb-cache unit='MiB'>64</tb-cache></tcg></features>"
    _refused("TCG features are incompatible with domain type 'kvm'", Code.CONFIG_UNSUPPORTED, section, kind="kvm")
    _define(section)


@pytest.mark.parametrize(
    ("timer", "words"),
    [
        ("<timer name='platform'/>", "unsupported timer type (name) 'platform'"),
        ("<timer name='rtc' tickpolicy='merge'/>", "unsupported rtc timer tickpolicy 'merge'"),
        ("<timer name='pit' tickpolicy='merge'/>", "unsupported pit tickpolicy 'merge'"),
        ("<timer name='tsc' mode='native'/>", "unsupported tsc timer mode 'native'"),
        ("<timer name='armvtimer'/>", "Configuring the 'armvtimer' timer is not supported"),
    ],
)
def test_timers(timer: str, words: str) -> None:
    _refused(words, Code.CONFIG_UNSUPPORTED, f"<clock offset='utc'>{timer}</clock>")


def test_no_year_has_five_digits() -> None:
    _refused("The maximum 'start' value", Code.CONFIG_UNSUPPORTED, "<clock offset='absolute' start='253402300800'/>")


@pytest.mark.parametrize(
    ("section", "code", "words"),
    [
        ("<sysinfo type='fwcfg'><entry name='x'>y</entry></sysinfo>", Code.CONFIG_UNSUPPORTED, "Invalid firmware name"),
        (
            "<sysinfo type='fwcfg'><entry name='opt/ovmf/x'>y</entry></sysinfo>",
            Code.CONFIG_UNSUPPORTED,
            "That firmware name is reserved",
        ),
        (
            "<sysinfo type='fwcfg'><entry name='opt/x'/></sysinfo>",
            Code.XML_ERROR,
            "must have either value or 'file' attribute",
        ),
        (
            "<sysinfo><bios><entry name='date'>13/01/2020</entry></bios></sysinfo>",
            Code.XML_DETAIL,
            "Invalid BIOS 'date' format",
        ),
        (
            "<keywrap><cipher name='aes' state='on'/></keywrap>",
            Code.CONFIG_UNSUPPORTED,
            "not available on this architecture",
        ),
        ("<launchSecurity type='s390-pv'/>", Code.CONFIG_UNSUPPORTED, "S390-PV launch security is not supported"),
        ("<launchSecurity type='tdx'/>", Code.CONFIG_UNSUPPORTED, "tdx"),
        (
            "<seclabel type='dynamic' model='m' relabel='no'/>",
            Code.CONFIG_UNSUPPORTED,
            "dynamic label type must use resource relabeling",
        ),
        (
            "<seclabel type='none' model='m' relabel='yes'/>",
            Code.CONFIG_UNSUPPORTED,
            "not compatible with 'none' label type",
        ),
        ("<seclabel model='m'/><seclabel model='m'/>", Code.XML_DETAIL, "seclabel for model m is already provided"),
        (
            "<seclabel model='m'/><seclabel type='none'/>",
            Code.XML_ERROR,
            "missing security model when using multiple labels",
        ),
        (
            "<perf><event name='cmt' enabled='yes'/><event name='cmt' enabled='no'/></perf>",
            Code.XML_ERROR,
            "already specified",
        ),
    ],
)
def test_sections(section: str, code: int, words: str) -> None:
    _refused(words, code, section)


@pytest.mark.parametrize(
    ("boot", "code", "words"),
    [
        ("<shim>/s</shim>", Code.CONFIG_UNSUPPORTED, "shim only allowed with kernel option"),
        (
            "<acpi><table type='slic'>/a</table><table type='slic'>/b</table></acpi>",
            Code.XML_ERROR,
            "may only appear once",
        ),
        (
            "<loader stateless='yes' type='pflash'>/c</loader><nvram>/n</nvram>",
            Code.XML_DETAIL,
            "NVRAM is not permitted when loader",
        ),
        ("<loader stateless='no' type='rom'>/c</loader>", Code.XML_DETAIL, "Only pflash loader type permits NVRAM"),
        ("<loader type='pflash'>/c</loader><nvram type='file'/>", Code.XML_ERROR, "missing <source> of <nvram>"),
    ],
)
def test_boot(boot: str, code: int, words: str) -> None:
    _refused(words, code, "<features><acpi/></features>", boot=boot)


def test_a_label_by_hand_is_kept_and_keeps_the_guest_from_starting() -> None:
    labels = "<seclabel type='static' model='selinux' relabel='yes'><label>a:b:c</label></seclabel>"
    domain = parse_domain(_GUEST.format(kind="qemu", machine="q35", boot="", sections=labels))
    complete(domain, qemu_capabilities(), defaults=host_defaults())
    assert domain.seclabels[0].label == "a:b:c"
    with pytest.raises(LibvirtError, match="Security driver model 'selinux' is not available"):
        seclabel.check_start(domain.seclabels)


def test_a_label_of_a_file_keeps_the_guest_from_starting_too() -> None:
    source = "<source file='/d.img'><seclabel model='dac' relabel='no'/>{label}</source>"
    label = "<seclabel model='selinux' relabel='yes'><label>a:b:c</label></seclabel>"
    disk = "<devices><disk type='file'>{source}<target dev='vda' bus='virtio'/></disk></devices>"
    for text, refused in (("", False), (label, True)):
        sections = disk.format(source=source.format(label=text))
        domain = parse_domain(_GUEST.format(kind="qemu", machine="q35", boot="", sections=sections))
        with pytest.raises(LibvirtError, match="'selinux' is not available") if refused else contextlib.nullcontext():
            seclabel.check_start(domain.seclabels, labels_of(domain.devices.all()))
