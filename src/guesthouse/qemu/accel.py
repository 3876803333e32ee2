"""Does KVM work here? A /dev/kvm that opens is no proof: it is tried, in a process that can be killed."""

from __future__ import annotations

import errno
import json
import sys
from dataclasses import dataclass
from pathlib import Path

from guesthouse.host.child import ChildError, ChildTimeoutError, run
from guesthouse.qemu.json_value import Json, JsonObject, text_of
from guesthouse.qemu.kvm_trial import COUNT, EXIT_HLT, SLOWEST_SECONDS

#: The one version of KVM's interface that there has been since Linux 2.6.22.
API_VERSION = 12

#: How long the trial may take, in seconds. It takes 0.05 where KVM works.
TRIAL_DEADLINE = 5.0

_TRIAL = Path(__file__).with_name("kvm_trial.py")

_LOAD = "load the module kvm_intel or kvm_amd, and switch on VT-x or AMD-V in the firmware's settings"
_JOIN = "add the user to the group 'kvm', or run the daemon as root"
_NESTED = "in a virtual machine, ask its host for nested virtualization; guests run with TCG until then"


@dataclass(frozen=True, slots=True)
class KvmStatus:
    """Whether KVM guests can run. `reason` says what was found, `hint` what to do about it (empty when usable)."""

    usable: bool
    reason: str
    hint: str = ""


async def probe_kvm(device: str = "/dev/kvm", deadline: float = TRIAL_DEADLINE) -> KvmStatus:
    """Try KVM by creating a virtual machine and running instructions in it. Never raises."""
    try:
        finished = await run([sys.executable, "-I", "-S", str(_TRIAL), device], deadline=deadline)
        answer: Json = json.loads(finished.output or b"null")
    except ChildTimeoutError:
        return KvmStatus(
            False, f"{device} opens, but a virtual machine did not end its trial in {deadline:g} s", _NESTED
        )
    except (ChildError, ValueError) as error:
        return KvmStatus(False, f"the trial of {device} could not be run: {error}", "see the daemon's log")
    if not isinstance(answer, dict):
        return KvmStatus(False, f"the trial of {device} crashed: {finished.exit}", _NESTED)
    return judge(device, answer)


def judge(device: str, found: JsonObject) -> KvmStatus:
    """What the trial's findings (see `guesthouse.qemu.kvm_trial.trial`) mean."""
    stage, error, seconds = text_of(found, "stage"), text_of(found, "error"), found.get("seconds")
    if stage == "open":
        return _cannot_open(device, error, found.get("errno"))
    if error:
        return KvmStatus(False, f"{device} opens, but a virtual machine failed at '{stage}': {error}", _NESTED)
    if found.get("version") != API_VERSION:
        return KvmStatus(False, f"{device} has interface version {found.get('version')}, not {API_VERSION}", _LOAD)
    if stage == "created":
        return KvmStatus(True, "a virtual machine was created (no instruction is tried on this architecture)")
    if stage != "ran" or not isinstance(seconds, float):
        return KvmStatus(False, f"the trial of {device} ended early at '{stage}'", _NESTED)
    if found.get("exit") != EXIT_HLT:
        return KvmStatus(False, f"{device} opens, but a virtual machine stopped with exit {found.get('exit')}", _NESTED)
    if seconds > SLOWEST_SECONDS:
        each = seconds / COUNT * 1e9
        return KvmStatus(
            False,
            f"{device} opens, but its kernel emulates every instruction ({each:.0f} ns for a loop of two)",
            _NESTED,
        )
    return KvmStatus(True, f"a virtual machine ran {COUNT * 2} instructions in {seconds * 1e6:.0f} µs")


def _cannot_open(device: str, error: str, number: Json) -> KvmStatus:
    if number == errno.ENOENT:
        return KvmStatus(False, f"{device} does not exist", _LOAD)
    if number in (errno.EACCES, errno.EPERM):
        return KvmStatus(False, f"{device} may not be opened: {error}", _JOIN)
    return KvmStatus(False, f"{device} cannot be opened: {error}", _LOAD)
