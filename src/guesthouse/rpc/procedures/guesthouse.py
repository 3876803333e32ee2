"""Procedures of Guesthouse's own program: what libvirt's protocol has no words for.

Its number is not one of libvirt's, whose clients never send it; libvirtd answers it with `Unknown program`.
"""

from __future__ import annotations

from guesthouse.rpc.procedure import GUESTHOUSE_PROGRAM, Family
from guesthouse.rpc.types import NonnullDomain
from guesthouse.rpc.xdr import Annotated, Struct, UInt

#: The most changes that a plan can have.
PLAN_MAX = 16384


class PlannedChange(Struct):
    """One difference between what a guest is and what it shall be.

    `path` names the place, `old` and `new` what stands there. `verdict` is `now`, `restart` or `impossible`; `how` is
    the command that makes the change now, `reason` why it cannot be made now, or at all.
    """

    path: str
    old: str | None = None
    new: str | None = None
    verdict: str = ""
    how: str | None = None
    reason: str | None = None


class DomainPlanArgs(Struct):
    """Arguments of `DOMAIN_PLAN`: the guest, and the definition that it shall have."""

    dom: NonnullDomain
    xml: str
    flags: UInt = 0


class DomainPlanRet(Struct):
    """Reply of `DOMAIN_PLAN`."""

    changes: Annotated[list[PlannedChange], PLAN_MAX]


_family = Family(GUESTHOUSE_PROGRAM)
call = _family.call

DOMAIN_PLAN = call(1, "DOMAIN_PLAN", DomainPlanArgs, DomainPlanRet, "")
