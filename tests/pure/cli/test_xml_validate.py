"""`guest xml-validate` needs no daemon, and says which element of which line is wrong."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from guesthouse.cli.commands.xml_validate import COMMANDS
from guesthouse.errors import LibvirtError
from guesthouse.model import documents

GUEST = str(Path(sys.executable).parent / "guest")
DOMAIN = """<domain type='kvm'>
  <name>g</name>
  <memory>1</memory>
  <os><type>hvm</type></os>
</domain>"""


def _run(*argv: str, text: str = "") -> subprocess.CompletedProcess[str]:
    return subprocess.run([GUEST, *argv], capture_output=True, text=True, input=text, timeout=30, check=False)


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        (DOMAIN, "domain"),
        ("<rng model='virtio'><backend model='builtin'/></rng>", "device"),
        ("<pool type='dir'><name>p</name><target><path>/p</path></target></pool>", "storagepool"),
        ("<volume><name>v</name><capacity>1</capacity></volume>", "storagevol"),
        ("<cpu><arch>x86_64</arch><model>qemu64</model></cpu>", "cpu"),
    ],
)
def test_each_kind_is_known_by_its_root(text: str, kind: str) -> None:
    assert documents.validate(text) == kind
    assert documents.validate(text, kind) == kind
    with pytest.raises(LibvirtError, match=f"is of kind '{kind}' .expected is a document of kind 'network'"):
        documents.validate(text, "network")


def test_the_kinds_are_offered() -> None:
    offered = next(option for option in COMMANDS[0].options if option.name == "kind").complete
    assert set(offered.split()) == documents.names()
    with pytest.raises(LibvirtError, match=r"is not known here \(expected is one of capability, "):
        documents.validate("<nothing/>")


def test_valid_files(tmp_path: Path) -> None:
    path = tmp_path / "guest.xml"
    path.write_text(DOMAIN)
    done = _run("xml-validate", str(path))
    assert (done.returncode, done.stdout.strip(), done.stderr) == (0, f"{path} validates: domain", "")
    assert _run("xml-validate", "/dev/stdin", text=DOMAIN).stdout.strip() == "/dev/stdin validates: domain"
    assert "No such file" in _run("xml-validate", str(tmp_path / "none.xml")).stderr


def test_the_line_and_the_element_are_told(tmp_path: Path) -> None:
    good, bad = tmp_path / "good.xml", tmp_path / "bad.xml"
    good.write_text(DOMAIN)
    bad.write_text(DOMAIN.replace("<memory>1</memory>", "<memory>1</memory>\n  <memroy>1</memroy>"))
    done = _run("xml-validate", str(good), str(bad))
    assert done.returncode == 1
    assert done.stdout.strip().splitlines() == [f"{good} validates: domain", f"{bad} fails to validate"]
    assert f"{bad}: " in done.stderr
    assert "element 'memroy' in 'domain' is not supported (line 4)" in done.stderr
    told = json.loads(_run("xml-validate", str(good), str(bad), "--json").stdout)
    assert [(one["valid"], one["kind"], one["line"]) for one in told] == [(True, "domain", None), (False, None, 4)]


@pytest.mark.parametrize(
    ("text", "line"), [("<domain>\n<", 2), ("<domain type='kvm'>\n<name>g</name>\n<memory>x</memory></domain>", None)]
)
def test_texts_that_are_no_documents(tmp_path: Path, text: str, line: int | None) -> None:
    path = tmp_path / "bad.xml"
    path.write_text(text)
    done = _run("xml-validate", str(path), "--json")
    assert done.returncode == 1
    [told] = json.loads(done.stdout)
    assert told["line"] == line
    assert told["error"]
