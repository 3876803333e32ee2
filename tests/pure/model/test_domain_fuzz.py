"""Mutated definitions: whatever a client sends, the answer is a guest or an error of libvirt's, never a crash."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
from lxml import etree

from guesthouse.errors import LibvirtError
from guesthouse.model.binding import Style
from guesthouse.model.domain.command_line import prepare, realise
from guesthouse.model.domain.complete import complete
from guesthouse.model.domain.document import format_domain, parse_domain
from guesthouse.model.domain.launch import LaunchContext
from tests.support.capabilities import host_defaults, qemu_capabilities

SEEDS = sorted((Path(__file__).parent / "golden").glob("*.xml"))
WORDS = [
    *[
        "",
        "0",
        "-1",
        "1",
        "255",
        "4294967296",
        "9" * 40,
        "0x1f",
        "0xffffffff",
        "on",
        "off",
        "yes",
        "no",
        "none",
        "auto",
    ],
    *["pci", "usb", "virtio", "virtio-scsi", "drive", "sata", "ide", "scsi", "fdc", "q35", "pc", "qcow2", "raw", "vnc"],
    *[
        "a,b=c",
        "../../etc",
        "/dev/null",
        "é",
        "x" * 3000,
        "{0}",
        "%s",
        "\t",
        "pcie-root",
        "pcie-root-port",
        "pci-bridge",
    ],
]


def _mutate(root: etree._Element, dice: random.Random) -> None:
    nodes = list(root.iter())
    node = dice.choice(nodes)
    other = dice.choice(nodes)
    parent = node.getparent()
    match dice.randrange(7):
        case 0 if parent is not None:
            parent.remove(node)
        case 1 if node.attrib:
            del node.attrib[dice.choice(list(node.attrib))]
        case 2 if node.attrib:
            node.set(dice.choice(list(node.attrib)), dice.choice(WORDS))
        case 3 if parent is not None:
            parent.insert(dice.randrange(len(parent) + 1), etree.fromstring(etree.tostring(node)))
        case 4:
            node.text = dice.choice(WORDS)
        case 5 if other.attrib:
            name = dice.choice(list(other.attrib))
            node.set(name, other.attrib[name])
        case _:
            if other is not root and parent is not None:
                parent.append(etree.fromstring(etree.tostring(other)))


def _try(xml: str) -> None:
    try:
        domain = parse_domain(xml)
        complete(domain, qemu_capabilities(kvm=True), defaults=host_defaults())
    except LibvirtError:
        return
    text = format_domain(domain, Style())
    again = parse_domain(text)
    complete(again, qemu_capabilities(kvm=True), defaults=host_defaults())
    assert format_domain(again, Style()) == text
    for number, graphics in enumerate(again.devices.graphics):
        graphics.port = 5900 + number
    launch = LaunchContext(
        qemu_capabilities(kvm=True), guest_dir="/g", channel_dir="/c", accel="kvm" if again.type == "kvm" else "tcg"
    )
    try:
        prepare(again, launch)
    except LibvirtError:
        return
    assert all("\x00" not in word for word in realise(again, launch).argv)


@pytest.mark.parametrize("seed", SEEDS, ids=lambda path: path.name)
def test_mutated_documents(seed: Path) -> None:
    dice = random.Random(seed.name)
    for _ in range(25):
        root = etree.fromstring(seed.read_bytes())
        for _ in range(dice.randint(1, 3)):
            _mutate(root, dice)
        _try(etree.tostring(root, encoding="unicode"))
