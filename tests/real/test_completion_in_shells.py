"""The completion scripts in the shells that they are for: a guest's name, a command and an option are completed."""

from __future__ import annotations

import os
import subprocess

import pytest

from tests.support.daemon import BIN, Daemon, need
from tests.support.tiny import tiny_xml

pytestmark = pytest.mark.real

CASES = {"guest start web": "web1", "guest dominf": "dominfo", "guest list --al": "--all"}

BASH = """
source <(guest completion bash)
COMP_LINE=$1 COMP_POINT=${#1}
_guest
printf '%s\\n' "${COMPREPLY[@]}"
"""
FISH = """
guest completion fish | source
complete -C $argv[1]
"""
#: A second zsh on a terminal of its own, in which the tab key is pressed; what stands on its screen is printed.
ZSH = """
zmodload zsh/zpty
zpty shell zsh -f -i
until_seen() { zpty -r shell seen "*$1*"; print -r -- $seen; }
zpty -w shell 'stty -echo; autoload -Uz compinit; compinit -u -D; source <(guest completion zsh); print rea""dy'
until_seen ready
zpty -w -n shell "$1"$'\\t'
until_seen "$2"
zpty -d shell
"""
SHELLS = {
    "bash": ["bash", "--norc", "-c", BASH, "bash"],
    "fish": ["fish", "--no-config", "-c", FISH],
    "zsh": ["zsh", "-f", "-c", ZSH, "zsh"],
}


@pytest.mark.parametrize("shell", SHELLS)
def test_a_shell_completes(daemon: Daemon, shell: str) -> None:
    need(shell)
    document = daemon.root / "web1.xml"
    document.write_text(tiny_xml("web1", memory=64))
    daemon.guest("define", str(document))
    environment = {
        **os.environ,
        "PATH": f"{BIN}:{os.environ['PATH']}",
        "LIBVIRT_DEFAULT_URI": daemon.uri,
        "HOME": str(daemon.root),
        "TERM": "xterm",
    }
    for line, wanted in CASES.items():
        done = subprocess.run(
            [*SHELLS[shell], line, wanted], env=environment, capture_output=True, text=True, timeout=20, check=False
        )
        assert wanted in done.stdout, (line, done)
