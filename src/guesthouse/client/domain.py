"""A guest, as the client sees it: what identifies it, and the calls that are about it.

The methods are libvirt's `virDomain…` functions under shorter names; what each does and refuses is in libvirt's
reference (https://libvirt.org/html/libvirt-libvirt-domain.html). All raise LibvirtError as the daemon sent it. The
families of procedures are imported where they are used, so that a command loads what it calls and no more.
"""

from __future__ import annotations

from guesthouse.client.named import Named
from guesthouse.errors import Code, LibvirtError, Origin
from guesthouse.rpc.procedures import domain as rpc

TYPE_CHECKING = False
if TYPE_CHECKING:
    from guesthouse.client.connection import Connection
    from guesthouse.client.stream import Stream
    from guesthouse.rpc.procedures.domain_cpu import DomainGetVcpusRet
    from guesthouse.rpc.procedures.domain_save import DomainGetControlInfoRet, DomainGetJobStatsRet
    from guesthouse.rpc.procedures.guesthouse import PlannedChange as PlannedChange
    from guesthouse.rpc.types import NonnullDomain, TypedParam

#: `virDomainModificationImpact`.
LIVE, CONFIG = 1, 2

#: Flags of `Domain.xml` (`virDomainXMLFlags`).
XML_SECURE, XML_INACTIVE, XML_UPDATE_CPU, XML_MIGRATABLE = 1, 2, 4, 8

#: Kinds of metadata (`virDomainMetadataType`).
DESCRIPTION, TITLE, ELEMENT = 0, 1, 2

#: `virTypedParameterFlags`: the caller understands parameters that are strings.
STRING_OKAY = 4


class Domain(Named):
    """One guest of one connection. `id` is -1 while it is off; it is as old as the object."""

    __slots__ = ("connection", "handle")

    def __init__(self, connection: Connection, handle: NonnullDomain) -> None:
        self.connection = connection
        self.handle: NonnullDomain = handle

    @property
    def id(self) -> int:
        """The id while it runs, else -1."""
        return self.handle.id

    # State

    def state(self) -> tuple[int, int]:
        """State and reason (`virDomainState` and its reasons)."""
        ret = self.connection.ask(rpc.DomainGetStateRet, rpc.DOMAIN_GET_STATE, rpc.DomainGetStateArgs(self.handle))
        return ret.state, ret.reason

    def info(self) -> rpc.DomainGetInfoRet:
        """State, memory in KiB, vCPUs, CPU time in nanoseconds."""
        return self.connection.ask(rpc.DomainGetInfoRet, rpc.DOMAIN_GET_INFO, rpc.DomainGetInfoArgs(self.handle))

    def is_active(self) -> bool:
        """Whether it runs, paused or not."""
        args = rpc.DomainIsActiveArgs(self.handle)
        return bool(self.connection.ask(rpc.DomainIsActiveRet, rpc.DOMAIN_IS_ACTIVE, args).active)

    def is_persistent(self) -> bool:
        """Whether its definition is stored."""
        args = rpc.DomainIsPersistentArgs(self.handle)
        return bool(self.connection.ask(rpc.DomainIsPersistentRet, rpc.DOMAIN_IS_PERSISTENT, args).persistent)

    def os_type(self) -> str:
        """The content of the definition's `os/type`."""
        args = rpc.DomainGetOsTypeArgs(self.handle)
        return self.connection.ask(rpc.DomainGetOsTypeRet, rpc.DOMAIN_GET_OS_TYPE, args).type

    def has_managed_save(self) -> bool:
        """Whether the daemon keeps a saved image of its memory."""
        from guesthouse.rpc.procedures import domain_save as family

        args = family.DomainHasManagedSaveImageArgs(self.handle, 0)
        ret = self.connection.ask(family.DomainHasManagedSaveImageRet, family.DOMAIN_HAS_MANAGED_SAVE_IMAGE, args)
        return bool(ret.result)

    def title(self) -> str:
        """The title; empty where there is none."""
        return self.description(TITLE, 0)

    def description(self, kind: int, flags: int) -> str:
        """The description or the title; empty where there is none."""
        try:
            return self.metadata(kind, None, flags)
        except LibvirtError as error:
            if error.code == Code.NO_DOMAIN_METADATA:
                return ""
            raise

    # Definition

    def xml(self, flags: int = 0) -> str:
        """The definition as XML. With secrets only over a connection that may write, as libvirt's own client has it."""
        if flags & XML_SECURE and self.connection.readonly:
            raise LibvirtError("virDomainGetXMLDesc with secure flag", code=Code.OPERATION_DENIED, domain=Origin.DOM)
        args = rpc.DomainGetXmlDescArgs(self.handle, flags)
        return self.connection.ask(rpc.DomainGetXmlDescRet, rpc.DOMAIN_GET_XML_DESC, args).xml

    def metadata(self, kind: int, uri: str | None, flags: int) -> str:
        """Description, title, or the metadata element of the namespace `uri`."""
        args = rpc.DomainGetMetadataArgs(self.handle, kind, uri, flags)
        return self.connection.ask(rpc.DomainGetMetadataRet, rpc.DOMAIN_GET_METADATA, args).metadata

    def set_metadata(self, kind: int, value: str | None, key: str | None, uri: str | None, flags: int) -> None:
        """Set description, title or a metadata element; None removes it."""
        self.connection.call(
            rpc.DOMAIN_SET_METADATA, rpc.DomainSetMetadataArgs(self.handle, kind, value, key, uri, flags)
        )

    def rename(self, name: str) -> None:
        """Give it another name; it must be off."""
        self.connection.call(rpc.DOMAIN_RENAME, rpc.DomainRenameArgs(self.handle, name, 0))

    def undefine(self, flags: int) -> None:
        """Remove the definition."""
        self.connection.call(rpc.DOMAIN_UNDEFINE_FLAGS, rpc.DomainUndefineFlagsArgs(self.handle, flags))

    def autostart(self) -> bool:
        """Whether it starts with the host."""
        args = rpc.DomainGetAutostartArgs(self.handle)
        return bool(self.connection.ask(rpc.DomainGetAutostartRet, rpc.DOMAIN_GET_AUTOSTART, args).autostart)

    def set_autostart(self, wanted: bool) -> None:
        """Let it start with the host, or not."""
        self.connection.call(rpc.DOMAIN_SET_AUTOSTART, rpc.DomainSetAutostartArgs(self.handle, int(wanted)))

    def autostart_once(self) -> bool:
        """Whether it starts with the host's next start."""
        args = rpc.DomainGetAutostartOnceArgs(self.handle)
        ret = self.connection.ask(rpc.DomainGetAutostartOnceRet, rpc.DOMAIN_GET_AUTOSTART_ONCE, args)
        return bool(ret.autostart)

    def set_autostart_once(self, wanted: bool) -> None:
        """Let it start with the host's next start, or not."""
        args = rpc.DomainSetAutostartOnceArgs(self.handle, int(wanted))
        self.connection.call(rpc.DOMAIN_SET_AUTOSTART_ONCE, args)

    # Life

    def start(self, flags: int = 0) -> None:
        """Start it; the object knows the new id afterwards."""
        if not flags:
            self.connection.call(rpc.DOMAIN_CREATE, rpc.DomainCreateArgs(self.handle))
            self.handle = self.connection.domain_by_uuid(self.handle.uuid).handle
            return
        args = rpc.DomainCreateWithFlagsArgs(self.handle, flags)
        self.handle = self.connection.ask(rpc.DomainCreateWithFlagsRet, rpc.DOMAIN_CREATE_WITH_FLAGS, args).dom

    def suspend(self) -> None:
        """Stop its CPUs."""
        self.connection.call(rpc.DOMAIN_SUSPEND, rpc.DomainSuspendArgs(self.handle))

    def resume(self) -> None:
        """Let its CPUs run."""
        self.connection.call(rpc.DOMAIN_RESUME, rpc.DomainResumeArgs(self.handle))

    def shutdown(self, flags: int = 0) -> None:
        """Ask it to shut down."""
        if flags:
            self.connection.call(rpc.DOMAIN_SHUTDOWN_FLAGS, rpc.DomainShutdownFlagsArgs(self.handle, flags))
        else:
            self.connection.call(rpc.DOMAIN_SHUTDOWN, rpc.DomainShutdownArgs(self.handle))

    def reboot(self, flags: int = 0) -> None:
        """Ask it to reboot."""
        self.connection.call(rpc.DOMAIN_REBOOT, rpc.DomainRebootArgs(self.handle, flags))

    def reset(self) -> None:
        """Press its reset button."""
        self.connection.call(rpc.DOMAIN_RESET, rpc.DomainResetArgs(self.handle, 0))

    def destroy(self, flags: int = 0) -> None:
        """Pull its plug."""
        if flags:
            self.connection.call(rpc.DOMAIN_DESTROY_FLAGS, rpc.DomainDestroyFlagsArgs(self.handle, flags))
        else:
            self.connection.call(rpc.DOMAIN_DESTROY, rpc.DomainDestroyArgs(self.handle))

    # Guest agent

    def hostname(self, flags: int) -> str:
        """The guest's host name (1: from a DHCP lease, 2: from the agent)."""
        from guesthouse.rpc.procedures import domain_agent as family

        args = family.DomainGetHostnameArgs(self.handle, flags)
        return self.connection.ask(family.DomainGetHostnameRet, family.DOMAIN_GET_HOSTNAME, args).hostname

    def time(self) -> int:
        """The guest's clock, in seconds since the epoch."""
        from guesthouse.rpc.procedures import domain_agent as family

        args = family.DomainGetTimeArgs(self.handle, 0)
        return self.connection.ask(family.DomainGetTimeRet, family.DOMAIN_GET_TIME, args).seconds

    def set_time(self, seconds: int, flags: int) -> None:
        """Set the guest's clock (flag 1: from its own real-time clock)."""
        from guesthouse.rpc.procedures import domain_agent as family

        self.connection.call(family.DOMAIN_SET_TIME, family.DomainSetTimeArgs(self.handle, seconds, 0, flags))

    # Jobs, control, messages

    def control_info(self) -> DomainGetControlInfoRet:
        """The state of the daemon's way to QEMU: state, details, milliseconds in it."""
        from guesthouse.rpc.procedures import domain_save as family

        args = family.DomainGetControlInfoArgs(self.handle, 0)
        return self.connection.ask(family.DomainGetControlInfoRet, family.DOMAIN_GET_CONTROL_INFO, args)

    def job_stats(self, flags: int) -> DomainGetJobStatsRet:
        """The running job, or with flag 1 the last one."""
        from guesthouse.rpc.procedures import domain_save as family

        args = family.DomainGetJobStatsArgs(self.handle, flags)
        return self.connection.ask(family.DomainGetJobStatsRet, family.DOMAIN_GET_JOB_STATS, args)

    def abort_job(self, flags: int) -> None:
        """Break off the running job (flag 1: of a post-copy migration)."""
        from guesthouse.rpc.procedures import domain_save as family

        if flags:
            self.connection.call(family.DOMAIN_ABORT_JOB_FLAGS, family.DomainAbortJobFlagsArgs(self.handle, flags))
        else:
            self.connection.call(family.DOMAIN_ABORT_JOB, family.DomainAbortJobArgs(self.handle))

    def remove_managed_save(self) -> None:
        """Throw away the saved image of its memory."""
        from guesthouse.rpc.procedures import domain_save as family

        args = family.DomainManagedSaveRemoveArgs(self.handle, 0)
        self.connection.call(family.DOMAIN_MANAGED_SAVE_REMOVE, args)

    def messages(self) -> list[str]:
        """What the daemon has to say about the guest: taints, deprecations."""
        from guesthouse.rpc.procedures import domain_stats as family

        args = family.DomainGetMessagesArgs(self.handle, 0)
        return self.connection.ask(family.DomainGetMessagesRet, family.DOMAIN_GET_MESSAGES, args).msgs

    def security_label(self) -> tuple[str, bool]:
        """The label that the guest runs under, and whether it is enforced."""
        args = rpc.DomainGetSecurityLabelArgs(self.handle)
        ret = self.connection.ask(rpc.DomainGetSecurityLabelRet, rpc.DOMAIN_GET_SECURITY_LABEL, args)
        return ret.label.rstrip(b"\0").decode("utf-8", "surrogateescape"), bool(ret.enforcing)

    def snapshot_count(self, flags: int) -> int:
        """How many snapshots it has (flag 2: with metadata)."""
        from guesthouse.rpc.procedures import snapshot as family

        args = family.DomainSnapshotNumArgs(self.handle, flags)
        return self.connection.ask(family.DomainSnapshotNumRet, family.DOMAIN_SNAPSHOT_NUM, args).num

    # CPUs

    def vcpus(self, maximum: int, map_length: int) -> DomainGetVcpusRet:
        """The running vCPUs, with the host CPUs that each may run on."""
        from guesthouse.rpc.procedures import domain_cpu as family

        args = family.DomainGetVcpusArgs(self.handle, maximum, map_length)
        return self.connection.ask(family.DomainGetVcpusRet, family.DOMAIN_GET_VCPUS, args)

    def vcpu_pins(self, maximum: int, map_length: int, flags: int) -> bytes:
        """The host CPUs that each vCPU may run on: one bit map of `map_length` bytes a vCPU."""
        from guesthouse.rpc.procedures import domain_cpu as family

        args = family.DomainGetVcpuPinInfoArgs(self.handle, maximum, map_length, flags)
        return self.connection.ask(family.DomainGetVcpuPinInfoRet, family.DOMAIN_GET_VCPU_PIN_INFO, args).cpumaps

    def vcpu_count(self, flags: int) -> int:
        """The number of vCPUs (`virDomainVcpuFlags`)."""
        from guesthouse.rpc.procedures import domain_cpu as family

        args = family.DomainGetVcpusFlagsArgs(self.handle, flags)
        return self.connection.ask(family.DomainGetVcpusFlagsRet, family.DOMAIN_GET_VCPUS_FLAGS, args).num

    def set_vcpus(self, count: int, flags: int | None) -> None:
        """Set the number of vCPUs; without flags over the oldest procedure."""
        from guesthouse.rpc.procedures import domain_cpu as family

        if flags is None:
            self.connection.call(family.DOMAIN_SET_VCPUS, family.DomainSetVcpusArgs(self.handle, count))
        else:
            args = family.DomainSetVcpusFlagsArgs(self.handle, count, flags)
            self.connection.call(family.DOMAIN_SET_VCPUS_FLAGS, args)

    def scheduler_type(self) -> tuple[str, int]:
        """The scheduler's name, and how many parameters it has."""
        from guesthouse.rpc.procedures import domain_tuning as family

        args = family.DomainGetSchedulerTypeArgs(self.handle)
        ret = self.connection.ask(family.DomainGetSchedulerTypeRet, family.DOMAIN_GET_SCHEDULER_TYPE, args)
        return ret.type, ret.nparams

    def scheduler(self, count: int, flags: int | None) -> list[TypedParam]:
        """The scheduler's parameters, at most `count`; without flags over the oldest procedure."""
        from guesthouse.rpc.procedures import domain_tuning as family

        if flags is None:
            plain = family.DomainGetSchedulerParametersArgs(self.handle, count)
            return self.connection.ask(
                family.DomainGetSchedulerParametersRet, family.DOMAIN_GET_SCHEDULER_PARAMETERS, plain
            ).params
        args = family.DomainGetSchedulerParametersFlagsArgs(self.handle, count, flags | STRING_OKAY)
        return self.connection.ask(
            family.DomainGetSchedulerParametersFlagsRet, family.DOMAIN_GET_SCHEDULER_PARAMETERS_FLAGS, args
        ).params

    def set_scheduler(self, params: list[TypedParam], flags: int | None) -> None:
        """Set some of the scheduler's parameters."""
        from guesthouse.rpc.procedures import domain_tuning as family

        if flags is None:
            plain = family.DomainSetSchedulerParametersArgs(self.handle, params)
            self.connection.call(family.DOMAIN_SET_SCHEDULER_PARAMETERS, plain)
        else:
            args = family.DomainSetSchedulerParametersFlagsArgs(self.handle, params, flags)
            self.connection.call(family.DOMAIN_SET_SCHEDULER_PARAMETERS_FLAGS, args)

    # Console, screen, keys

    def open_console(self, device: str | None, flags: int) -> Stream:
        """The serial console, as a stream both ways (flags 1: throw others out, 2: only if that is safe)."""
        from guesthouse.rpc.procedures import domain_devices as family

        args = family.DomainOpenConsoleArgs(self.handle, device, flags)
        return self.connection.open_stream(family.DOMAIN_OPEN_CONSOLE, args)[1]

    def screenshot(self, screen: int) -> tuple[str, Stream]:
        """A picture of a screen: its MIME type, and the stream that it comes over."""
        from guesthouse.rpc.procedures import domain_devices as family

        args = family.DomainScreenshotArgs(self.handle, screen, 0)
        ret, stream = self.connection.open_stream(family.DOMAIN_SCREENSHOT, args)
        mime = ret.mime if isinstance(ret, family.DomainScreenshotRet) else None
        return mime or "", stream

    def send_keys(self, codeset: int, hold: int, codes: list[int]) -> None:
        """Press keys together for `hold` milliseconds."""
        from guesthouse.rpc.procedures import domain_devices as family

        self.connection.call(family.DOMAIN_SEND_KEY, family.DomainSendKeyArgs(self.handle, codeset, hold, codes, 0))

    def inject_nmi(self) -> None:
        """Send it a non-maskable interrupt."""
        from guesthouse.rpc.procedures import domain_devices as family

        self.connection.call(family.DOMAIN_INJECT_NMI, family.DomainInjectNmiArgs(self.handle, 0))

    def wake(self) -> None:
        """Wake it from a sleep that it went into by itself."""
        from guesthouse.rpc.procedures import domain_devices as family

        self.connection.call(family.DOMAIN_PM_WAKEUP, family.DomainPmWakeupArgs(self.handle, 0))

    def set_block_threshold(self, device: str, threshold: int) -> None:
        """Have an event sent when an image gets fuller than so many bytes; 0 for no event any more."""
        from guesthouse.rpc.procedures import domain_block as family

        args = family.DomainSetBlockThresholdArgs(self.handle, device, threshold, 0)
        self.connection.call(family.DOMAIN_SET_BLOCK_THRESHOLD, args)

    def start_dirty_rate(self, seconds: int, mode: int) -> None:
        """Measure how fast it writes to its memory; the statistics have the result."""
        from guesthouse.rpc.procedures import domain_stats as family

        args = family.DomainStartDirtyRateCalcArgs(self.handle, seconds, mode)
        self.connection.call(family.DOMAIN_START_DIRTY_RATE_CALC, args)

    def processor_stats(self, start: int, count: int) -> list[TypedParam]:
        """Processor time: of all processors together (start -1), or of `count` from `start` on, one after the other."""
        from guesthouse.rpc.procedures import domain_stats as family

        def ask(room: int, processors: int) -> family.DomainGetCpuStatsRet:
            args = family.DomainGetCpuStatsArgs(self.handle, room, start, processors, STRING_OKAY)
            return self.connection.ask(family.DomainGetCpuStatsRet, family.DOMAIN_GET_CPU_STATS, args)

        return ask(ask(0, 1).nparams, count).params

    def processor_count(self) -> int:
        """How many processors of the host there are to tell times of."""
        from guesthouse.rpc.procedures import domain_stats as family

        args = family.DomainGetCpuStatsArgs(self.handle, 0, 0, 0, 0)
        return self.connection.ask(family.DomainGetCpuStatsRet, family.DOMAIN_GET_CPU_STATS, args).nparams

    def reload_certificates(self, kind: int) -> None:
        """Have its displays read their certificates again (`virDomainGraphicsReloadType`)."""
        from guesthouse.rpc.procedures import domain_devices as family

        self.connection.call(family.DOMAIN_GRAPHICS_RELOAD, family.DomainGraphicsReloadArgs(self.handle, kind, 0))

    def launch_security(self) -> list[TypedParam]:
        """What the processor says of its encrypted memory."""
        from guesthouse.rpc.procedures import domain_tuning as family

        args = family.DomainGetLaunchSecurityInfoArgs(self.handle, STRING_OKAY)
        return self.connection.ask(
            family.DomainGetLaunchSecurityInfoRet, family.DOMAIN_GET_LAUNCH_SECURITY_INFO, args
        ).params

    def set_launch_secret(self, params: list[TypedParam]) -> None:
        """Put a secret into its memory before it runs."""
        from guesthouse.rpc.procedures import domain_tuning as family

        args = family.DomainSetLaunchSecurityStateArgs(self.handle, params, 0)
        self.connection.call(family.DOMAIN_SET_LAUNCH_SECURITY_STATE, args)

    def plan(self, document: str) -> list[PlannedChange]:
        """What becomes of each difference between the guest and this definition; only Guesthouse can tell."""
        from guesthouse.rpc.procedures import guesthouse as family

        args = family.DomainPlanArgs(self.handle, document)
        return self.connection.ask(family.DomainPlanRet, family.DOMAIN_PLAN, args).changes

    # QEMU

    def monitor_command(self, command: str, flags: int) -> str:
        """QEMU's answer to a monitor command, in JSON (flag 1: in words)."""
        from guesthouse.rpc.procedures import qemu as family

        args = family.DomainMonitorCommandArgs(self.handle, command, flags)
        return self.connection.ask(family.DomainMonitorCommandRet, family.DOMAIN_MONITOR_COMMAND, args).result

    def monitor_command_with_files(self, command: str, descriptors: list[int], flags: int) -> str:
        """As `monitor_command`, with open files that QEMU gets."""
        from guesthouse.rpc.procedures import qemu as family

        args = family.DomainMonitorCommandWithFilesArgs(self.handle, command, flags)
        serial = self.connection.submit(family.DOMAIN_MONITOR_COMMAND_WITH_FILES, args, descriptors)
        ret = self.connection.wait(serial)
        return ret.result if isinstance(ret, family.DomainMonitorCommandWithFilesRet) else ""

    def associate_descriptors(self, name: str, descriptors: list[int], flags: int) -> None:
        """Hand open files of ours over under a name, for disks that name it, as long as the connection stands."""
        from guesthouse.rpc.procedures import domain_devices as family

        args = family.DomainFdAssociateArgs(self.handle, name, flags)
        self.connection.wait(self.connection.submit(family.DOMAIN_FD_ASSOCIATE, args, descriptors))

    def agent_command(self, command: str, timeout: int) -> str | None:
        """The guest agent's answer (timeout in seconds; -2 waits for it, -1 takes the default, 0 does not wait)."""
        from guesthouse.rpc.procedures import qemu as family

        args = family.DomainAgentCommandArgs(self.handle, command, timeout, 0)
        return self.connection.ask(family.DomainAgentCommandRet, family.DOMAIN_AGENT_COMMAND, args).result
