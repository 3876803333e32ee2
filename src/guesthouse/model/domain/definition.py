"""A guest as a whole: `<domain>`.

Format: https://libvirt.org/formatdomain.html. The order of the fields is the order in which libvirt writes them.
"""

from __future__ import annotations

import uuid

from guesthouse.errors import XmlError
from guesthouse.model.binding import always, attr, choice, element, leaf, many, new, one, opt, opt_leaf, raw, unbound
from guesthouse.model.domain import processors
from guesthouse.model.domain.blkiotune import Blkiotune
from guesthouse.model.domain.clock import Clock
from guesthouse.model.domain.cpu import Cpu
from guesthouse.model.domain.cputune import Cputune
from guesthouse.model.domain.devices import Devices
from guesthouse.model.domain.devices.throttling import ThrottleGroups
from guesthouse.model.domain.features import Features
from guesthouse.model.domain.idmap import IdMap
from guesthouse.model.domain.iothreads import DefaultIothread, IothreadIds, tells
from guesthouse.model.domain.keywrap import KeyWrap
from guesthouse.model.domain.launch_security import LaunchSecurity, ProtectedVirtualization, Sev, SevSnp
from guesthouse.model.domain.memory import CurrentMemory, MaxMemory, Memory
from guesthouse.model.domain.memory_backing import MemoryBacking
from guesthouse.model.domain.memtune import Memtune
from guesthouse.model.domain.numatune import Numatune
from guesthouse.model.domain.os import Os
from guesthouse.model.domain.perf import Perf
from guesthouse.model.domain.power import PowerManagement
from guesthouse.model.domain.qemu_namespace import PassThrough
from guesthouse.model.domain.resource import Resource
from guesthouse.model.domain.seclabel import SecurityLabel
from guesthouse.model.domain.sysinfo import Sysinfo
from guesthouse.model.domain.vcpu import Vcpu, Vcpus
from guesthouse.model.kinds import INT, PROSE, UINT, UUID, Kind, one_of

_ACTION = one_of("destroy", "restart", "rename-restart", "preserve")
_CRASH_ACTION = one_of("destroy", "restart", "rename-restart", "preserve", "coredump-destroy", "coredump-restart")


def check_name(name: str) -> None:
    """Raise `XmlError` for a name that no guest can have. Libvirt's rules: not empty, no slash, no line break."""
    if not name:
        raise XmlError("name is empty", hint="give the guest a name")
    if "/" in name:
        raise XmlError(f"name {name} cannot contain '/'")
    if "\n" in name:
        raise XmlError("invalid char in name: '\\n'")


def _new_uuid() -> str:
    return str(uuid.uuid4())


#: An empty `<genid/>` asks for a new one.
_GENERATION = Kind("a UUID, or nothing", lambda text: UUID.parse(text) if text else _new_uuid(), str, plain=True)


def _no_memory() -> Memory:
    return new(Memory, kib=0)


def _one_processor() -> Vcpu:
    return new(Vcpu, maximum=1)


@element("domain")
class Domain:
    """A guest's definition. `type` is `kvm` or `qemu` (TCG); `id` is set while it runs.

    `metadata` holds one text a child of `<metadata>`; `memory` and `current_memory` are in KiB.
    `pass_through` is what goes to QEMU as it is, from libvirt's own namespace for that.
    """

    type: str = attr(one_of("kvm", "qemu"))
    id: int | None = opt(INT, live=True)
    name: str = leaf(PROSE)
    uuid: str = leaf(UUID, factory=_new_uuid)
    genid: str | None = opt_leaf(_GENERATION)
    title: str | None = opt_leaf(PROSE)
    description: str | None = opt_leaf(PROSE)
    metadata: list[str] = raw("metadata")
    max_memory: MaxMemory | None = one(MaxMemory, show=lambda most: most.kib > 0)
    memory: Memory = always(Memory, _no_memory)
    current_memory: CurrentMemory | None = one(CurrentMemory)
    blkiotune: Blkiotune | None = one(Blkiotune)
    memtune: Memtune | None = one(Memtune)
    memory_backing: MemoryBacking | None = one(MemoryBacking)
    vcpu: Vcpu = always(Vcpu, _one_processor)
    vcpus: Vcpus | None = one(Vcpus)
    iothreads: int | None = opt_leaf(UINT)
    iothread_ids: IothreadIds | None = one(IothreadIds, show=tells)
    default_iothread: DefaultIothread | None = one(DefaultIothread)
    throttle_groups: ThrottleGroups | None = one(ThrottleGroups)
    cputune: Cputune | None = one(Cputune)
    numatune: Numatune | None = one(Numatune)
    resource: Resource | None = one(Resource)
    sysinfo: list[Sysinfo] = many(Sysinfo)
    os: Os = always(Os)
    idmap: IdMap | None = one(IdMap)
    features: Features | None = one(Features)
    cpu: Cpu | None = one(Cpu)
    clock: Clock = always(Clock)
    on_poweroff: str | None = opt_leaf(_ACTION)
    on_reboot: str | None = opt_leaf(_ACTION)
    on_crash: str | None = opt_leaf(_CRASH_ACTION)
    on_lockfailure: str | None = opt_leaf(one_of("poweroff", "restart", "pause", "ignore"))
    pm: PowerManagement | None = one(PowerManagement)
    perf: Perf | None = one(Perf)
    devices: Devices = always(Devices)
    seclabels: list[SecurityLabel] = many(SecurityLabel)
    keywrap: KeyWrap | None = one(KeyWrap)
    launch_security: LaunchSecurity | None = choice(
        "type", {"sev": Sev, "sev-snp": SevSnp, "s390-pv": ProtectedVirtualization}
    )
    pass_through: PassThrough | None = unbound(None)

    def parsed(self) -> None:
        """Check the name and the title."""
        check_name(self.name)
        if self.title is not None and "\n" in self.title:
            raise XmlError("Domain title can't contain newlines")
        processors.settle(self)
