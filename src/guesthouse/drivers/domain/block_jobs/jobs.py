"""What a block job is, and how it moves from state to state. Nothing here talks to QEMU.

A job is `new` until QEMU has it, and `running` then. Jobs of two phases (a copy, a commit of the image that the guest
writes) become `ready` when both images are equal; they are then told to pivot or to abort. Pulls and other commits end
by themselves. What became of it comes last: `completed`, `failed` or `cancelled`.

State names: libvirt's, as its status files have them.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING, Final

from guesthouse.errors import Code, LibvirtError, OperationUnsupportedError, Origin

if TYPE_CHECKING:
    from guesthouse.model.domain.devices.disk import Disk
    from guesthouse.model.qemu_objects import Command


#: Flags of a copy: bits of `virDomainBlockCopyFlags` (and of `virDomainBlockRebaseFlags`).
COPY_SHALLOW, COPY_REUSE = 1, 2


class Kind(Enum):
    """What a job does; the values are libvirt's words."""

    PULL = "pull"
    COPY = "copy"
    COMMIT = "commit"
    ACTIVE_COMMIT = "active-commit"

    @property
    def number(self) -> int:
        """`virDomainBlockJobType`."""
        return _NUMBERS[self]

    @property
    def two_phases(self) -> bool:
        """Whether it becomes ready, and waits to be told how to end."""
        return self in (Kind.COPY, Kind.ACTIVE_COMMIT)


_NUMBERS: Final = {Kind.PULL: 1, Kind.COPY: 2, Kind.COMMIT: 3, Kind.ACTIVE_COMMIT: 4}


class State(Enum):
    """Where a job is; the values are libvirt's words."""

    NEW = "new"
    RUNNING = "running"
    READY = "ready"
    PIVOTING = "pivoting"
    ABORTING = "aborting"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def over(self) -> bool:
        """Whether it has ended."""
        return self in OUTCOMES

    @property
    def ending(self) -> bool:
        """Whether it was told to end, and has not yet."""
        return self in (State.PIVOTING, State.ABORTING)


#: What a `<mirror>` says of the state (`ready`).
MIRROR_WORDS: Final = {State.READY: "yes", State.PIVOTING: "pivot", State.ABORTING: "abort"}

#: Outcome to `virConnectDomainEventBlockJobStatus`.
OUTCOMES: Final = {State.COMPLETED: 0, State.FAILED: 1, State.CANCELLED: 2}
#: The same, for a job that becomes ready.
READY_STATUS: Final = 3


class Input(Enum):
    """What moves a job.

    `SWITCHED` and `KEPT` are the ends without an error of a job with two phases: the drive is on the other image, or on
    the one that it was on. `REFUSED` is QEMU's refusal of an order to end.
    """

    STARTED = "QEMU has it"
    BECAME_READY = "both images are equal"
    PIVOT = "told to pivot"
    ABORT = "told to abort"
    REFUSED = "the order was refused"
    FINISHED = "ended well"
    SWITCHED = "ended on the other image"
    KEPT = "ended on the same image"
    BROKE = "ended with an error"


#: State and input to the next state; what is not here changes nothing. `REFUSED` leads to where the job was before.
TRANSITIONS: Final[dict[tuple[State, Input], State]] = {
    (State.NEW, Input.STARTED): State.RUNNING,
    (State.NEW, Input.BECAME_READY): State.READY,
    (State.RUNNING, Input.BECAME_READY): State.READY,
    (State.NEW, Input.ABORT): State.ABORTING,
    (State.RUNNING, Input.ABORT): State.ABORTING,
    (State.READY, Input.ABORT): State.ABORTING,
    (State.READY, Input.PIVOT): State.PIVOTING,
    (State.PIVOTING, Input.REFUSED): State.READY,
    (State.ABORTING, Input.REFUSED): State.RUNNING,
    # An abort that came too late has aborted nothing.
    **{
        (state, input_): outcome
        for state in State
        if state not in OUTCOMES
        for input_, outcome in (
            (Input.FINISHED, State.COMPLETED),
            (Input.SWITCHED, State.COMPLETED),
            (Input.KEPT, State.CANCELLED),
            (Input.BROKE, State.CANCELLED if state is State.ABORTING else State.FAILED),
        )
    },
}


@dataclass(slots=True)
class Aftermath:
    """What is left to do once a job is over, in this order; all of it can be done twice.

    `definition` is what the guest is defined as then, as the text of its file; empty where that stays. `orders` take
    away what QEMU does not need any more, `files` are images that nobody needs.
    """

    definition: str = ""
    orders: list[Command] = field(default_factory=list)
    files: list[str] = field(default_factory=list)


@dataclass(slots=True)
class BlockJob:
    """One job. `name` is its id in QEMU, `disk` the target of the disk that it works on.

    `flags` are those of the call that began it. `base`, `top` and `above` (what lies on `top`) are storage nodes of
    images; empty where there is none. With `delete` the images that were committed go, with `inherits` a copy lies on
    what the original lies on. `former` is the state before an order to end, to which a refusal leads back.
    `aftermath` is of a job that is over, and of a new one: what has to be taken back if QEMU never gets it.
    """

    name: str
    kind: Kind
    disk: str
    state: State = State.NEW
    flags: int = 0
    base: str = ""
    top: str = ""
    above: str = ""
    delete: bool = False
    inherits: bool = False
    error: str = ""
    former: State | None = None
    aftermath: Aftermath = field(default_factory=Aftermath)

    def move(self, input_: Input) -> bool:
        """Take a step. Tells whether the state has changed."""
        following = TRANSITIONS.get((self.state, input_))
        if following is None:
            return False
        if input_ is Input.REFUSED and self.former is not None:
            following = self.former
        self.former = self.state if following.ending else None
        self.state = following
        return True

    @property
    def running(self) -> bool:
        """Whether it has not ended."""
        return not self.state.over

    @property
    def late_chain(self) -> bool:
        """Whether what the copy lies on is opened only when the guest pivots to it: somebody may still write there."""
        return self.kind is Kind.COPY and self.flags & (COPY_SHALLOW | COPY_REUSE) == COPY_SHALLOW | COPY_REUSE

    def end_with(self, error: str, on: str | None, other: str) -> Input:
        """What its end in QEMU means: `error` is the job's, `on` the node that the drive is on, if that is known,
        and `other` that of the other image.
        """
        self.error = error
        if not self.kind.two_phases:
            return Input.BROKE if error else Input.FINISHED
        if on == other or (on is None and not error and self.state is State.PIVOTING):
            return Input.SWITCHED
        return Input.BROKE if error else Input.KEPT


def refuse(disk: Disk, job: BlockJob | None) -> None:
    """Raise where a job on the disk is under way: error 83 for one with a `<mirror>`, else 84."""
    if disk.mirror is None and job is None:
        return
    text = f"disk '{disk.target.dev}' already in active block job"
    if disk.mirror is not None:
        raise LibvirtError(text, code=Code.BLOCK_COPY_ACTIVE, domain=Origin.QEMU)
    raise OperationUnsupportedError(text)


def check_supported(disk: Disk) -> None:
    """Raise `OperationUnsupportedError` for a disk that QEMU cannot work on."""
    target = disk.target.dev
    if disk.bus == "sd":
        raise OperationUnsupportedError(f"block jobs are not supported on disk '{target}' using bus 'sd'")
    if disk.transient is not None:
        raise OperationUnsupportedError(f"block jobs are not supported on transient disk '{target}'")
    if disk.type == "vhostuser":
        raise OperationUnsupportedError(f"block jobs are not supported on vhostuser disk '{target}'")
