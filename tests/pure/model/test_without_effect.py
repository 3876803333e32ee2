"""What is kept of a definition though nothing is done with it: accepted, printed, and named when the guest starts."""

from __future__ import annotations

from guesthouse.model.binding import Style
from guesthouse.model.domain import without_effect
from guesthouse.model.domain.complete import complete
from guesthouse.model.domain.definition import Domain
from guesthouse.model.domain.document import format_domain, parse_domain
from tests.support.capabilities import host_defaults, qemu_capabilities

DOMAIN = """<domain type='{}'><name>guest</name><memory>1048576</memory>{}
<os><type arch='x86_64' machine='q35'>hvm</type></os><features>{}</features><devices/></domain>"""
FEATURES = "<acpi/><pae/><hap state='off'/><viridian/><privnet/><ioapic driver='kvm'/>"
OTHERS = """<idmap><uid start='0' target='1000' count='10'/><gid start='0' target='1000' count='10'/></idmap>
<on_lockfailure>pause</on_lockfailure><clock offset='utc'><timer name='rtc' tickpolicy='catchup'>
<catchup threshold='123' slew='120' limit='10000'/></timer></clock>"""


def guest(kind: str, others: str, features: str) -> Domain:
    domain = parse_domain(DOMAIN.format(kind, others, features))
    complete(domain, qemu_capabilities(kvm=kind == "kvm"), defaults=host_defaults())
    return domain


def test_everything_that_does_nothing() -> None:
    domain = guest("qemu", OTHERS, FEATURES)
    assert without_effect.of(domain) == [
        "<idmap>",
        "<on_lockfailure>",
        "<catchup> of a timer",
        "<hap>",
        "<viridian>",
        "<privnet>",
        "<ioapic driver='kvm'> without KVM",
    ]
    text = format_domain(domain, Style())
    for element in ("<hap state='off'/>", "<viridian/>", "<privnet/>", "<ioapic driver='kvm'/>", "<pae/>"):
        assert element in text


def test_what_does_something() -> None:
    assert without_effect.of(guest("kvm", "", "<acpi/><pae/><ioapic driver='kvm'/>")) == []
    assert without_effect.of(guest("qemu", "<clock offset='utc'><timer name='rtc'/></clock>", "<acpi/>")) == []
