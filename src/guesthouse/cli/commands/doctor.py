"""`doctor`: whether this host can run guests, and what to do where it cannot.

It looks at the machine that it runs on and needs no daemon. It alone of all commands looks past the client: at the
host's files, and at KVM by running a guest of two instructions.
"""

from __future__ import annotations

from guesthouse.cli.failure import CommandError
from guesthouse.cli.grammar import Command

TYPE_CHECKING = False
if TYPE_CHECKING:
    from guesthouse.cli.context import Context
    from guesthouse.cli.grammar import Arguments
    from guesthouse.host.doctor import Finding

KVM_DEVICE = "/dev/kvm"


def run_doctor(context: Context, args: Arguments) -> None:
    """Print what every check found. Fails when one of them failed."""
    from guesthouse.host.doctor import FAIL, PASS, examine

    findings = examine(path=context.settings.environment.get("PATH"))
    if any(one.name == f"{KVM_DEVICE} exists" and one.outcome == PASS for one in findings):
        at = next(number for number, one in enumerate(findings) if one.name == "nested virtualization")
        findings.insert(at, _trial())
    findings += _forwarding()
    if args.has("json"):
        context.dump(
            [{"check": one.name, "outcome": one.outcome, "found": one.found, "hint": one.hint} for one in findings]
        )
    else:
        for one in findings:
            context.print(f"  {one.outcome}  {one.name}: {one.found}\n")
            if one.outcome != PASS:
                context.print(f"        to mend it: {one.hint}\n")
    if any(one.outcome == FAIL for one in findings):
        raise CommandError


def _trial() -> Finding:
    """Whether KVM runs a guest: a device that opens is no proof."""
    import asyncio

    from guesthouse.host.doctor import FAIL, PASS, Finding
    from guesthouse.qemu.accel import probe_kvm

    status = asyncio.run(probe_kvm(KVM_DEVICE))
    return Finding("KVM runs a guest", PASS if status.usable else FAIL, status.reason, status.hint)


def _forwarding() -> list[Finding]:
    """Whether the firewall lets pass what virtual networks forward. Nothing where nobody may look."""
    import asyncio

    from guesthouse.errors import LibvirtError
    from guesthouse.host import forwarding
    from guesthouse.host.doctor import PASS, WARN, Finding

    name = "forwarding for virtual networks"
    try:
        told = asyncio.run(forwarding.told("virbr0"))
    except LibvirtError:
        return []
    if not told:
        return [Finding(name, PASS, "no rule of others drops what is forwarded")]
    return [Finding(name, WARN, *text.split("; mend it with: ", 1)) for text in told]


COMMANDS = (
    Command(
        "doctor",
        "guest",
        "check whether this host can run guests",
        run_doctor,
        description="Check the hardware, the kernel and the programs here, and say how to mend what is missing.",
        connect=False,
        shape="[{check, outcome: PASS, WARN or FAIL, found, hint}]",
        ours=True,
    ),
)
