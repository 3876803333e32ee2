"""`python -m tools.lab`: runs the tests of `tests/lab` in the lab, or one command.

usage: python -m tools.lab [--deadline SECONDS] [--command] [ARGS ...]

ARGS go to pytest, as in `-k lvm`; with `--command` they are the command itself. What it prints is shown as it comes;
`.cache/lab/console.log` has what the machine's kernel said, `.cache/lab/junit.xml` the results. The exit status is
the command's, or 2 where the lab did not run to its end.
"""

from __future__ import annotations

import argparse
import asyncio
import compileall
import os
import sys
from pathlib import Path
from typing import Final

from guesthouse.qemu.accel import probe_kvm
from tools.lab import initramfs, machine, packages
from tools.lab.messages import Job
from tools.tinyguest import publish

ROOT: Final = Path(__file__).resolve().parent.parent.parent
CACHE: Final = ROOT / ".cache/lab"
#: Where the tiny guest with the full kernel is built from: the same package.
KERNELS: Final = ROOT / ".cache/tiny-full/packages"
RESULTS: Final = "/run/lab-results.xml"
#: All tests take a few minutes on a quiet machine, and half an hour on a busy one.
DEADLINE: Final = 3600.0
BROKEN: Final = 2
_LAST_LINES: Final = 25


def main() -> int:
    """The command; returns its exit status."""
    parser = argparse.ArgumentParser(prog="lab", description="Run tests in the lab.")
    parser.add_argument("--deadline", type=float, default=DEADLINE, help="seconds for everything")
    parser.add_argument("--command", action="store_true", help="ARGS are a command, not for pytest")
    options, arguments = parser.parse_known_args()
    CACHE.mkdir(parents=True, exist_ok=True)
    console = CACHE / "console.log"
    console.unlink(missing_ok=True)
    hardware = _hardware(console)
    job = Job(arguments) if options.command else Job(_pytest(arguments), RESULTS)
    outcome = machine.run(hardware, job, options.deadline, _show)
    if outcome.results:
        (CACHE / "junit.xml").write_text(outcome.results)
    if outcome.status is None:
        said = console.read_text(errors="replace").splitlines()[-_LAST_LINES:] if console.exists() else []
        print("\n".join(said), file=sys.stderr)
        print(f"lab: {outcome.reason}\nlab: next: see {console.relative_to(ROOT)}", file=sys.stderr)
        return BROKEN
    return outcome.status


def _hardware(console: Path) -> machine.Hardware:
    kernel, busybox = packages.boot_packages(KERNELS)
    [image] = (kernel / "boot").glob("vmlinuz-*")
    archive = CACHE / "initrd.gz"
    settings = {
        "MODULES": str((kernel / "lib/modules").resolve()),
        "PYTHON": sys.executable,
        "INSIDE": str(Path(__file__).parent / "inside.py"),
    }
    publish(archive, initramfs.build(kernel, busybox, settings))
    # What Python would compile there at every start, from modules that nobody can write.
    for tree in ("src", "tests", "tools"):
        compileall.compile_dir(ROOT / tree, quiet=1)
    kvm = asyncio.run(probe_kvm())
    return machine.Hardware(
        image, archive, packages.overlay(CACHE), console, "kvm" if kvm.usable else "tcg,thread=multi"
    )


def _pytest(arguments: list[str]) -> list[str]:
    """The command line of pytest. Under TCG everything takes ten times as long, so the time a test may take is more."""
    tests = [] if any(word.startswith("tests/") for word in arguments) else ["tests/lab"]
    colour = "yes" if sys.stdout.isatty() else "no"
    options = ["-p", "no:cacheprovider", "--timeout=600", f"--color={colour}", f"--junitxml={RESULTS}"]
    return [sys.executable, "-m", "pytest", *options, *tests, *arguments]


def _show(text: str) -> None:
    os.write(sys.stdout.fileno(), text.encode())


if __name__ == "__main__":
    sys.exit(main())
