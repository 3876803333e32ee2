"""One life of a guest's QEMU: the process, its monitor, its files, and what was learnt from it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from guesthouse.drivers.domain.block_jobs.registry import Jobs
from guesthouse.drivers.domain.files.places import Where
from guesthouse.drivers.domain.states import Cause
from guesthouse.errors import OperationFailedError, OperationInvalidError
from guesthouse.model.domain.taints import Taints

if TYPE_CHECKING:
    from guesthouse.drivers.domain.console_session import Session
    from guesthouse.drivers.domain.helpers.helper import Helper
    from guesthouse.drivers.domain.hotplug.change import Change
    from guesthouse.drivers.domain.interfaces.wiring import Wiring
    from guesthouse.host.cgroups import Group
    from guesthouse.host.processes import Process
    from guesthouse.model.domain.cpu import Cpu
    from guesthouse.model.domain.definition import Domain
    from guesthouse.qemu.agent import Agent
    from guesthouse.qemu.json_value import JsonObject
    from guesthouse.qemu.monitor import Monitor


@dataclass(slots=True)
class Readings:
    """The last counters that QEMU told, for when it does not answer; `known` once it has.

    `balloon` has QEMU's names (`stat-free-memory`…), `blocks` is by device alias, `nodes` and `node_counters` are by
    node name, `iothreads` by QEMU's id. `disk_errors` are QEMU's I/O states, by the path of the device. `dirty_rate` is
    QEMU's last word on that. `counter_kinds` names the counters of the accelerator, `guest_counters` and
    `processor_counters` have their values. `answered` is when QEMU last answered (monotonic seconds), `answers` are
    the questions that it ever answered, `overdue` says whether it owes one.
    `vcpu_threads` are the threads of the processors that are online, `vcpu_numbers` those processors' numbers;
    `vcpus_made` is how many there have been, those that were unplugged included, as far as this daemon knows.
    """

    known: bool = False
    balloon: dict[str, int] = field(default_factory=dict)
    balloon_updated: int | None = None
    blocks: dict[str, dict[str, int]] = field(default_factory=dict)
    nodes: dict[str, dict[str, int]] = field(default_factory=dict)
    node_counters: dict[str, dict[str, int]] = field(default_factory=dict)
    iothreads: dict[str, dict[str, int]] = field(default_factory=dict)
    disk_errors: dict[str, str] = field(default_factory=dict)
    dirty_rate: JsonObject = field(default_factory=dict)
    counter_kinds: dict[str, str] = field(default_factory=dict)
    guest_counters: dict[str, int] = field(default_factory=dict)
    processor_counters: dict[int, dict[str, int]] = field(default_factory=dict)
    answered: float = 0.0
    answers: set[str] = field(default_factory=set)
    overdue: bool = False
    vcpu_threads: list[int] = field(default_factory=list)
    vcpu_numbers: list[int] = field(default_factory=list)
    vcpus_made: int = 0

    def age(self, now: float) -> int | None:
        """How old they are, in milliseconds, where QEMU owes an answer; None where they are fresh or there are none."""
        return int((now - self.answered) * 1000) if self.overdue and self.answered else None


@dataclass(slots=True, eq=False)
class Run:
    """One QEMU. `live` is the definition that it runs, with addresses, aliases and host paths filled in.

    `defined_cpu` is the processor that the definition asked for, where `live` has what became of it.

    `stop_cause` is why it will have ended, once somebody decided it; `ended` is set when all traces are cleaned up.
    `booted` says that the guest has been let run (or handed out paused): until then a death is a failed start.
    `pause_as` is what QEMU's next STOP means. `reboot_instead` turns the next power-off into a reset,
    and `restarting` says that one is under way. `house` makes the run's control group (see `housing`),
    `sorting` puts its threads into the parts of that.

    `counters` are the descriptors of the kernel's counters (see `tuning.perf_counters`).
    `dump_error` is what QEMU said of its last dump, if that failed.
    `agent_patience` is how many seconds clients want to wait for its agent, None for what each command may take.

    `change` is the change of devices that is under way, `unplugs` who waits for the guest to let go of a device, by its
    alias; `wirings` are the open ends of network cards until QEMU has them, by alias; `plugged` are the aliases of
    those whose host's side is there (of a guest that runs, all). `next_layer` is the number of the next image that a
    drive gets, 0 before it is known. `block_jobs` are the jobs that QEMU does on disks.

    `taints` are those that clients are told of; `io_errors` what they are told of images that could not be read or
    written, by the disk's target and the image's number.
    """

    live: Domain
    where: Where
    defined_cpu: Cpu | None = None
    process: Process | None = None
    monitor: Monitor | None = None
    agent: Agent | None = None
    agent_connected: bool = False
    agent_patience: float | None = None
    autodestroy: bool = False
    release_autodestroy: Callable[[], None] | None = None
    stop_cause: Cause | None = None
    booted: bool = False
    stopping: bool = False
    reboot_instead: bool = False
    restarting: bool = False
    pause_as: Cause = Cause.STOPPED_BY_QEMU
    balloon_kib: int | None = None
    readings: Readings = field(default_factory=Readings)
    dump_error: str = ""
    counters: dict[str, int] = field(default_factory=dict)
    questions: dict[str, asyncio.Task[None]] = field(default_factory=dict)
    house: asyncio.Task[Group] | None = None
    sorting: asyncio.Task[object] | None = None
    #: The host's NUMA nodes that numad gave.
    advised_nodes: frozenset[int] | None = None
    ports: list[int] = field(default_factory=list)
    wirings: dict[str, Wiring] = field(default_factory=dict)
    plugged: set[str] = field(default_factory=set)
    helpers: dict[str, Helper] = field(default_factory=dict)
    change: Change | None = None
    unplugs: dict[str, asyncio.Future[bool]] = field(default_factory=dict)
    next_layer: int = 0
    block_jobs: Jobs = field(default_factory=Jobs)
    taints: Taints = field(default_factory=Taints)
    io_errors: dict[tuple[str, int], str] = field(default_factory=dict)
    consoles: dict[str, Session] = field(default_factory=dict)
    tasks: set[asyncio.Task[object]] = field(default_factory=set)
    ended: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def pid(self) -> int:
        """QEMU's pid; 0 before it is there."""
        return self.process.pid if self.process else 0

    def talk(self) -> Monitor:
        """The monitor. Raises `OperationInvalidError` before there is one, `OperationFailedError` after its end."""
        if self.monitor is None:
            raise OperationInvalidError("domain is not running", hint="it is still starting")
        if self.monitor.closed is not None:
            raise OperationFailedError("domain is no longer running")
        return self.monitor

    def keep(self, task: asyncio.Task[object]) -> None:
        """Hold a task of this run until it ends, so that it is cancelled when the run is over."""
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)
