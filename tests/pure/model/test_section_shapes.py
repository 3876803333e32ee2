"""The shapes of a definition's sections: every declared element and attribute stands in a document of the tests."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from guesthouse.model.binding import Style
from guesthouse.model.domain.definition import Domain
from guesthouse.model.domain.document import format_domain, parse_domain
from tests.pure.model.test_device_shapes import CLASSES as OF_DEVICES
from tests.pure.model.test_device_shapes import children_of, slots_of

GOLDEN = Path(__file__).parent / "golden"


def _reachable() -> list[type[object]]:
    """Every element class of a definition but those within `<devices>`, which have cases of their own."""
    found: list[type[object]] = []
    todo: list[type[object]] = [Domain]
    while todo:
        cls = todo.pop()
        if cls not in OF_DEVICES and cls not in found:
            found.append(cls)
            todo.extend(children_of(cls))
    return found


CLASSES = _reachable()


def _exercised(item: object, seen: set[tuple[type[object], str]]) -> None:
    """Note every field of `item` and of what is in it that a document has set."""
    for name, slot in slots_of(type(item)).items():
        value = getattr(item, name)
        if value is None or value == [] or (value is False and slot.role == "flag"):
            continue
        seen.add((type(item), name))
        for part in value if isinstance(value, list) else [value]:
            if type(part) in CLASSES:
                _exercised(part, seen)


#: What the golden definitions leave out. Each stands in a guest of its own, since some rule each other out.
EXAMPLES = (
    "<throttlegroups><throttlegroup><total_bytes_sec>1</total_bytes_sec>"
    "<read_bytes_sec>2</read_bytes_sec><write_bytes_sec>3</write_bytes_sec>"
    "<total_iops_sec>4</total_iops_sec><read_iops_sec>5</read_iops_sec>"
    "<write_iops_sec>6</write_iops_sec><total_bytes_sec_max>7</total_bytes_sec_max>"
    "<read_bytes_sec_max>8</read_bytes_sec_max><write_bytes_sec_max>9</write_bytes_sec_max>"
    "<total_iops_sec_max>10</total_iops_sec_max><read_iops_sec_max>11</read_iops_sec_max>"
    "<write_iops_sec_max>12</write_iops_sec_max><size_iops_sec>13</size_iops_sec>"
    "<total_bytes_sec_max_length>14</total_bytes_sec_max_length>"
    "<read_bytes_sec_max_length>15</read_bytes_sec_max_length>"
    "<write_bytes_sec_max_length>16</write_bytes_sec_max_length>"
    "<total_iops_sec_max_length>17</total_iops_sec_max_length>"
    "<read_iops_sec_max_length>18</read_iops_sec_max_length>"
    "<write_iops_sec_max_length>19</write_iops_sec_max_length><group_name>slow</group_name>"
    "</throttlegroup></throttlegroups>",
    "<clock offset='timezone' timezone='Europe/Berlin'/>",
    "<clock offset='variable' adjustment='7' basis='utc' adjustment0='5'/>",
    "<numatune><memory mode='strict' placement='auto'/></numatune>",
    "<cputune><emulatorsched scheduler='fifo' priority='1'/></cputune>",
    "<clock offset='absolute' start='1000000000'/>",
    "<clock offset='utc'>"
    "<timer name='tsc' mode='native'/>"
    "<timer name='rtc' tickpolicy='catchup'><catchup threshold='123' slew='120' limit='10000'/></timer></clock>",
    "<cpu mode='custom' match='exact' check='none'>"
    "<model fallback='allow' vendor_id='KVMKVMKVM   '>Penryn</model><vendor>Intel</vendor>"
    "<cache level='3' mode='emulate'/><maxphysaddr mode='emulate' bits='42'/></cpu>",
    "<features><hap state='on'/><msrs unknown='fault'/><ps2 state='off'/></features>",
    "<features><hyperv mode='custom'><vpindex state='on'/><runtime state='on'/><reset state='on'/>"
    "<frequencies state='on'/><reenlightenment state='on'/><ipi state='on'/><evmcs state='on'/><avic state='on'/>"
    "<xmm_input state='on'/></hyperv></features>",
    "<features><acpi/><viridian/><privnet/><gic version='2'/><hpt resizing='enabled'>"
    "<maxpagesize unit='KiB'>16384</maxpagesize></hpt><htm state='on'/><nested-hv state='off'/><ccf-assist state='on'/>"
    "<cfpc value='fixed'/><sbbc value='broken'/><ibs value='fixed-ccd'/>"
    "<tcg><tb-cache unit='KiB'>102400</tb-cache></tcg><async-teardown enabled='no'/><ras state='on'/>"
    "<aia value='aplic'/></features>",
    "<cpu mode='host-model' check='partial' deprecated_features='off'/>",
    "<features><kvm><dirty-ring state='on' size='4096'/></kvm></features>",
    "<sysinfo type='fwcfg'><entry name='opt/a.b/c'>text</entry><entry name='opt/d' file='/etc/x'/></sysinfo>",
    "<os><type>hvm</type><kernel>/k</kernel><shim>/s</shim><dtb>/d</dtb>"
    "<acpi><table type='slic'>/t</table></acpi></os>",
    "<os><type>hvm</type><loader type='pflash'>/c</loader><nvram type='network' format='raw'>"
    "<source protocol='nbd' name='x'><host name='h' port='10809'/></source></nvram></os>",
    "<perf><event name='cmt' enabled='yes'/><event name='cpu_cycles' enabled='no'/></perf>",
    "<keywrap><cipher name='aes' state='on'/></keywrap>",
    "<launchSecurity type='sev' kernelHashes='yes'><cbitpos>47</cbitpos><reducedPhysBits>1</reducedPhysBits>"
    "<policy>0x0001</policy><dhCert>AQ</dhCert><session>Ag</session></launchSecurity>",
    "<launchSecurity type='sev-snp' kernelHashes='no' authorKey='yes' vcek='no'><cbitpos>51</cbitpos>"
    "<reducedPhysBits>1</reducedPhysBits><policy>0x00030000</policy>"
    "<guestVisibleWorkarounds>AA</guestVisibleWorkarounds><idBlock>AA</idBlock><idAuth>AA</idAuth>"
    "<hostData>AA</hostData></launchSecurity>",
    "<launchSecurity type='s390-pv'/>",
    "<seclabel type='static' model='selinux' relabel='no'><label>a:b:c</label></seclabel>",
    "<seclabel type='dynamic' model='selinux' relabel='yes'><label>q</label><imagelabel>i</imagelabel>"
    "<baselabel>b</baselabel></seclabel>",
    "<os><type>hvm</type><loader type='rom' stateless='yes'>/usr/share/OVMF/OVMF.fd</loader></os>",
    "<seclabel type='dynamic' model='apparmor' relabel='yes'>"
    "<label>libvirt-x</label><imagelabel>libvirt-x</imagelabel></seclabel>",
)


def _guest(section: str) -> Domain:
    boot = "" if section.startswith("<os>") else "<os><type>hvm</type></os>"
    return parse_domain(
        f"<domain type='qemu' id='7'><name>g</name><memory>1024</memory>{boot}{section}</domain>", live=True
    )


@pytest.mark.parametrize("section", EXAMPLES)
def test_what_was_read_is_written(section: str) -> None:
    text = format_domain(_guest(section), Style(live=True, status=True))
    assert format_domain(parse_domain(text, live=True), Style(live=True, status=True)) == text
    for word in re.findall(r"(?<= )\w+='[^']*'", section):
        assert word in text


def test_every_declared_name_is_in_a_document() -> None:
    seen: set[tuple[type[object], str]] = set()
    for path in GOLDEN.glob("*.xml"):
        _exercised(parse_domain(path.read_text()), seen)
    for section in EXAMPLES:
        _exercised(_guest(section), seen)
    missing = [f"{cls.__name__}.{name}" for cls in CLASSES for name in slots_of(cls) if (cls, name) not in seen]
    assert not missing
