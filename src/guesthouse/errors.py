"""Errors, in libvirt's words and numbers: what every layer may raise and every client understands.

An error has a `code` (what happened: clients branch on it), a `domain` (which part noticed) and a text. The text is
libvirt's phrase for the code around a detail of ours, because scripts parse it. `hint` is the next step for a person;
it goes after the detail.

The module imports nothing, so that the command can afford it on its fast path.

Numbers and phrases: libvirt's `virterror.h` (https://libvirt.org/html/libvirt-virterror.html).
"""

from __future__ import annotations


class Code:
    """What happened: libvirt's `virErrorNumber`."""

    INTERNAL_ERROR = 1
    NO_MEMORY = 2
    NO_SUPPORT = 3
    UNKNOWN_HOST = 4
    NO_CONNECT = 5
    INVALID_CONN = 6
    INVALID_DOMAIN = 7
    INVALID_ARG = 8
    OPERATION_FAILED = 9
    GET_FAILED = 10
    POST_FAILED = 11
    HTTP_ERROR = 12
    SEXPR_SERIAL = 13
    NO_XEN = 14
    XEN_CALL = 15
    OS_TYPE = 16
    NO_KERNEL = 17
    NO_ROOT = 18
    NO_SOURCE = 19
    NO_TARGET = 20
    NO_NAME = 21
    NO_OS = 22
    NO_DEVICE = 23
    NO_XENSTORE = 24
    DRIVER_FULL = 25
    CALL_FAILED = 26
    XML_ERROR = 27
    DOM_EXIST = 28
    OPERATION_DENIED = 29
    OPEN_FAILED = 30
    READ_FAILED = 31
    PARSE_FAILED = 32
    CONF_SYNTAX = 33
    WRITE_FAILED = 34
    XML_DETAIL = 35
    INVALID_NETWORK = 36
    NETWORK_EXIST = 37
    SYSTEM_ERROR = 38
    RPC = 39
    GNUTLS_ERROR = 40
    NO_DOMAIN = 42
    NO_NETWORK = 43
    INVALID_MAC = 44
    AUTH_FAILED = 45
    INVALID_STORAGE_POOL = 46
    INVALID_STORAGE_VOL = 47
    NO_STORAGE_POOL = 49
    NO_STORAGE_VOL = 50
    INVALID_NODE_DEVICE = 52
    NO_NODE_DEVICE = 53
    NO_SECURITY_MODEL = 54
    OPERATION_INVALID = 55
    NO_INTERFACE = 57
    INVALID_INTERFACE = 58
    MULTIPLE_INTERFACES = 59
    INVALID_NWFILTER = 61
    NO_NWFILTER = 62
    BUILD_FIREWALL = 63
    INVALID_SECRET = 65
    NO_SECRET = 66
    CONFIG_UNSUPPORTED = 67
    OPERATION_TIMEOUT = 68
    MIGRATE_PERSIST_FAILED = 69
    HOOK_SCRIPT_FAILED = 70
    INVALID_DOMAIN_SNAPSHOT = 71
    NO_DOMAIN_SNAPSHOT = 72
    INVALID_STREAM = 73
    ARGUMENT_UNSUPPORTED = 74
    STORAGE_PROBE_FAILED = 75
    STORAGE_POOL_BUILT = 76
    SNAPSHOT_REVERT_RISKY = 77
    OPERATION_ABORTED = 78
    AUTH_CANCELLED = 79
    NO_DOMAIN_METADATA = 80
    MIGRATE_UNSAFE = 81
    OVERFLOW = 82
    BLOCK_COPY_ACTIVE = 83
    OPERATION_UNSUPPORTED = 84
    SSH = 85
    AGENT_UNRESPONSIVE = 86
    RESOURCE_BUSY = 87
    ACCESS_DENIED = 88
    DBUS_SERVICE = 89
    STORAGE_VOL_EXIST = 90
    CPU_INCOMPATIBLE = 91
    XML_INVALID_SCHEMA = 92
    MIGRATE_FINISH_OK = 93
    AUTH_UNAVAILABLE = 94
    NO_SERVER = 95
    NO_CLIENT = 96
    AGENT_UNSYNCED = 97
    LIBSSH = 98
    DEVICE_MISSING = 99
    INVALID_NWFILTER_BINDING = 100
    NO_NWFILTER_BINDING = 101
    INVALID_DOMAIN_CHECKPOINT = 102
    NO_DOMAIN_CHECKPOINT = 103
    NO_DOMAIN_BACKUP = 104
    INVALID_NETWORK_PORT = 105
    NETWORK_PORT_EXIST = 106
    NO_NETWORK_PORT = 107
    NO_HOSTNAME = 108
    CHECKPOINT_INCONSISTENT = 109
    MULTIPLE_DOMAINS = 110
    NO_NETWORK_METADATA = 111
    AGENT_COMMAND_TIMEOUT = 112
    AGENT_COMMAND_FAILED = 113


class Origin:
    """Which part noticed: libvirt's `virErrorDomain`."""

    NONE = 0
    XEN = 1
    XEND = 2
    XENSTORE = 3
    SEXPR = 4
    XML = 5
    DOM = 6
    RPC = 7
    PROXY = 8
    CONF = 9
    QEMU = 10
    NET = 11
    TEST = 12
    REMOTE = 13
    OPENVZ = 14
    XENXM = 15
    STATS_LINUX = 16
    LXC = 17
    STORAGE = 18
    NETWORK = 19
    DOMAIN = 20
    UML = 21
    NODEDEV = 22
    XEN_INOTIFY = 23
    SECURITY = 24
    VBOX = 25
    INTERFACE = 26
    ONE = 27
    ESX = 28
    PHYP = 29
    SECRET = 30
    CPU = 31
    XENAPI = 32
    NWFILTER = 33
    HOOK = 34
    DOMAIN_SNAPSHOT = 35
    AUDIT = 36
    SYSINFO = 37
    STREAMS = 38
    VMWARE = 39
    EVENT = 40
    LIBXL = 41
    LOCKING = 42
    HYPERV = 43
    CAPABILITIES = 44
    URI = 45
    AUTH = 46
    DBUS = 47
    PARALLELS = 48
    DEVICE = 49
    SSH = 50
    LOCKSPACE = 51
    INITCTL = 52
    IDENTITY = 53
    CGROUP = 54
    ACCESS = 55
    SYSTEMD = 56
    BHYVE = 57
    CRYPTO = 58
    FIREWALL = 59
    POLKIT = 60
    THREAD = 61
    ADMIN = 62
    LOGGING = 63
    XENXL = 64
    PERF = 65
    LIBSSH = 66
    RESCTRL = 67
    FIREWALLD = 68
    DOMAIN_CHECKPOINT = 69
    TPM = 70
    BPF = 71
    CH = 72


#: Code to libvirt's phrase without and with a detail.
PHRASES: dict[int, tuple[str, str]] = {
    Code.INTERNAL_ERROR: ("internal error", "internal error: {}"),
    Code.NO_MEMORY: ("out of memory", "out of memory: {}"),
    Code.NO_SUPPORT: (
        "this function is not supported by the connection driver",
        "this function is not supported by the connection driver: {}",
    ),
    Code.UNKNOWN_HOST: ("unknown host", "unknown host {}"),
    Code.NO_CONNECT: ("no connection driver available", "no connection driver available for {}"),
    Code.INVALID_CONN: ("invalid connection pointer in", "invalid connection pointer in {}"),
    Code.INVALID_DOMAIN: ("invalid domain pointer in", "invalid domain pointer in {}"),
    Code.INVALID_ARG: ("invalid argument", "invalid argument: {}"),
    Code.OPERATION_FAILED: ("operation failed", "operation failed: {}"),
    Code.GET_FAILED: ("GET operation failed", "GET operation failed: {}"),
    Code.POST_FAILED: ("POST operation failed", "POST operation failed: {}"),
    Code.HTTP_ERROR: ("got unknown HTTP error code", "got unknown HTTP error code {}"),
    Code.SEXPR_SERIAL: ("failed to serialize S-Expr", "failed to serialize S-Expr: {}"),
    Code.NO_XEN: ("could not use Xen hypervisor entry", "could not use Xen hypervisor entry {}"),
    Code.XEN_CALL: ("failed Xen syscall", "failed Xen syscall {}"),
    Code.OS_TYPE: ("unknown OS type", "unknown OS type {}"),
    Code.NO_KERNEL: ("missing kernel information", "missing kernel information: {}"),
    Code.NO_ROOT: ("missing root device information", "missing root device information in {}"),
    Code.NO_SOURCE: ("missing source information for device", "missing source information for device {}"),
    Code.NO_TARGET: ("missing target information for device", "missing target information for device {}"),
    Code.NO_NAME: ("missing name information", "missing name information in {}"),
    Code.NO_OS: ("missing operating system information", "missing operating system information for {}"),
    Code.NO_DEVICE: ("missing devices information", "missing devices information for {}"),
    Code.NO_XENSTORE: ("could not connect to Xen Store", "could not connect to Xen Store {}"),
    Code.DRIVER_FULL: ("too many drivers registered", "too many drivers registered in {}"),
    Code.CALL_FAILED: ("library call failed", "library call failed: {}"),
    Code.XML_ERROR: ("XML description is invalid or not well formed", "XML error: {}"),
    Code.DOM_EXIST: ("this domain exists already", "domain {} exists already"),
    Code.OPERATION_DENIED: ("operation forbidden for read only access", "operation forbidden: {}"),
    Code.OPEN_FAILED: ("failed to open configuration file", "failed to open configuration file {}"),
    Code.READ_FAILED: ("failed to read configuration file", "failed to read configuration file {}"),
    Code.PARSE_FAILED: ("failed to parse configuration file", "failed to parse configuration file {}"),
    Code.CONF_SYNTAX: ("configuration file syntax error", "configuration file syntax error: {}"),
    Code.WRITE_FAILED: ("failed to write configuration file", "failed to write configuration file: {}"),
    Code.XML_DETAIL: ("parser error", "{}"),
    Code.INVALID_NETWORK: ("invalid network pointer in", "invalid network pointer in {}"),
    Code.NETWORK_EXIST: ("this network exists already", "network {} exists already"),
    Code.SYSTEM_ERROR: ("system call error", "{}"),
    Code.RPC: ("RPC error", "{}"),
    Code.GNUTLS_ERROR: ("GNUTLS call error", "{}"),
    Code.NO_NETWORK: ("Network not found", "Network not found: {}"),
    Code.NO_DOMAIN: ("Domain not found", "Domain not found: {}"),
    Code.INVALID_MAC: ("invalid MAC address", "invalid MAC address: {}"),
    Code.AUTH_FAILED: ("authentication failed", "authentication failed: {}"),
    Code.INVALID_STORAGE_POOL: ("invalid storage pool pointer in", "invalid storage pool pointer in {}"),
    Code.INVALID_STORAGE_VOL: ("invalid storage volume pointer in", "invalid storage volume pointer in {}"),
    Code.NO_STORAGE_POOL: ("Storage pool not found", "Storage pool not found: {}"),
    Code.NO_STORAGE_VOL: ("Storage volume not found", "Storage volume not found: {}"),
    Code.INVALID_NODE_DEVICE: ("invalid node device pointer", "invalid node device pointer in {}"),
    Code.NO_NODE_DEVICE: ("Node device not found", "Node device not found: {}"),
    Code.NO_SECURITY_MODEL: ("Security model not found", "Security model not found: {}"),
    Code.OPERATION_INVALID: ("Requested operation is not valid", "Requested operation is not valid: {}"),
    Code.NO_INTERFACE: ("Interface not found", "Interface not found: {}"),
    Code.INVALID_INTERFACE: ("invalid interface pointer in", "invalid interface pointer in {}"),
    Code.MULTIPLE_INTERFACES: ("multiple matching interfaces found", "multiple matching interfaces found: {}"),
    Code.NO_NWFILTER: ("Network filter not found", "Network filter not found: {}"),
    Code.INVALID_NWFILTER: ("Invalid network filter", "Invalid network filter: {}"),
    Code.BUILD_FIREWALL: ("Error while building firewall", "Error while building firewall: {}"),
    Code.NO_SECRET: ("Secret not found", "Secret not found: {}"),
    Code.INVALID_SECRET: ("Invalid secret", "Invalid secret: {}"),
    Code.CONFIG_UNSUPPORTED: ("unsupported configuration", "unsupported configuration: {}"),
    Code.OPERATION_TIMEOUT: ("Timed out during operation", "Timed out during operation: {}"),
    Code.MIGRATE_PERSIST_FAILED: (
        "Failed to make domain persistent after migration",
        "Failed to make domain persistent after migration: {}",
    ),
    Code.HOOK_SCRIPT_FAILED: ("Hook script execution failed", "Hook script execution failed: {}"),
    Code.INVALID_DOMAIN_SNAPSHOT: ("Invalid domain snapshot", "Invalid domain snapshot: {}"),
    Code.NO_DOMAIN_SNAPSHOT: ("Domain snapshot not found", "Domain snapshot not found: {}"),
    Code.INVALID_STREAM: ("invalid stream pointer", "invalid stream pointer in {}"),
    Code.ARGUMENT_UNSUPPORTED: ("argument unsupported", "argument unsupported: {}"),
    Code.STORAGE_PROBE_FAILED: ("Storage pool probe failed", "Storage pool probe failed: {}"),
    Code.STORAGE_POOL_BUILT: ("Storage pool already built", "Storage pool already built: {}"),
    Code.SNAPSHOT_REVERT_RISKY: ("revert requires force", "revert requires force: {}"),
    Code.OPERATION_ABORTED: ("operation aborted", "operation aborted: {}"),
    Code.AUTH_CANCELLED: ("authentication cancelled", "authentication cancelled: {}"),
    Code.NO_DOMAIN_METADATA: ("metadata not found", "metadata not found: {}"),
    Code.MIGRATE_UNSAFE: ("Unsafe migration", "Unsafe migration: {}"),
    Code.OVERFLOW: ("numerical overflow", "numerical overflow: {}"),
    Code.BLOCK_COPY_ACTIVE: ("block copy still active", "block copy still active: {}"),
    Code.OPERATION_UNSUPPORTED: ("Operation not supported", "Operation not supported: {}"),
    Code.SSH: ("SSH transport error", "SSH transport error: {}"),
    Code.AGENT_UNRESPONSIVE: ("Guest agent is not responding", "Guest agent is not responding: {}"),
    Code.RESOURCE_BUSY: ("resource busy", "resource busy: {}"),
    Code.ACCESS_DENIED: ("access denied", "access denied: {}"),
    Code.DBUS_SERVICE: ("error from service", "error from service: {}"),
    Code.STORAGE_VOL_EXIST: ("this storage volume exists already", "storage volume {} exists already"),
    Code.CPU_INCOMPATIBLE: ("the CPU is incompatible with host CPU", "the CPU is incompatible with host CPU: {}"),
    Code.XML_INVALID_SCHEMA: (
        "XML document failed to validate against schema",
        "XML document failed to validate against schema: {}",
    ),
    Code.MIGRATE_FINISH_OK: ("migration successfully aborted", "migration successfully aborted: {}"),
    Code.AUTH_UNAVAILABLE: ("authentication unavailable", "authentication unavailable: {}"),
    Code.NO_SERVER: ("Server not found", "Server not found: {}"),
    Code.NO_CLIENT: ("Client not found", "Client not found: {}"),
    Code.AGENT_UNSYNCED: (
        "guest agent replied with wrong id to guest-sync command",
        "guest agent replied with wrong id to guest-sync command: {}",
    ),
    Code.LIBSSH: ("libssh transport error", "libssh transport error: {}"),
    Code.DEVICE_MISSING: ("device not found", "device not found: {}"),
    Code.INVALID_NWFILTER_BINDING: ("Invalid network filter binding", "Invalid network filter binding: {}"),
    Code.NO_NWFILTER_BINDING: ("Network filter binding not found", "Network filter binding not found: {}"),
    Code.INVALID_DOMAIN_CHECKPOINT: ("Invalid domain checkpoint", "Invalid domain checkpoint: {}"),
    Code.NO_DOMAIN_CHECKPOINT: ("Domain checkpoint not found", "Domain checkpoint not found: {}"),
    Code.NO_DOMAIN_BACKUP: ("Domain backup job id not found", "Domain backup job id not found: {}"),
    Code.INVALID_NETWORK_PORT: ("Invalid network port pointer", "Invalid network port pointer: {}"),
    Code.NETWORK_PORT_EXIST: ("this network port exists already", "network port {} exists already"),
    Code.NO_NETWORK_PORT: ("network port not found", "network port not found: {}"),
    Code.NO_HOSTNAME: ("no hostname found", "no hostname found: {}"),
    Code.CHECKPOINT_INCONSISTENT: ("checkpoint inconsistent", "checkpoint inconsistent: {}"),
    Code.MULTIPLE_DOMAINS: ("multiple matching domains found", "multiple matching domains found: {}"),
    Code.NO_NETWORK_METADATA: ("metadata not found", "metadata not found: {}"),
    Code.AGENT_COMMAND_TIMEOUT: ("guest agent command timed out", "guest agent command timed out: {}"),
    Code.AGENT_COMMAND_FAILED: ("guest agent command failed", "guest agent command failed: {}"),
}


class LibvirtError(Exception):
    """A failure that reaches the client as a libvirt error.

    `code` and `domain` are numbers of `Code` and `Origin`; `detail` says what was wrong and with which value;
    `hint`, where there is one, says what to do about it. A `bare` detail is the whole text, without the code's phrase:
    libvirt writes so where its checks of arguments speak.
    """

    code: int = Code.INTERNAL_ERROR
    domain: int = Origin.NONE

    def __init__(
        self,
        detail: str = "",
        *,
        code: int | None = None,
        domain: int | None = None,
        hint: str = "",
        bare: bool = False,
    ) -> None:
        if code is not None:
            self.code = code
        if domain is not None:
            self.domain = domain
        self.detail = detail
        self.hint = hint
        self.bare = bare
        super().__init__(self.message)

    @property
    def message(self) -> str:
        """The whole text, as `virsh` prints it after `error: `."""
        bare, framed = PHRASES.get(self.code, PHRASES[Code.INTERNAL_ERROR])
        detail = f"{self.detail} ({self.hint})" if self.hint else self.detail
        if not detail:
            return bare
        return detail if self.bare else framed.format(detail)


class XmlError(LibvirtError):
    """The document is not well formed, or a value in it is not of the documented form. The client's fault."""

    code = Code.XML_ERROR
    domain = Origin.DOMAIN


class UnsupportedConfigError(LibvirtError):
    """A documented setting that this host, this QEMU or Guesthouse cannot honour; names the element."""

    code = Code.CONFIG_UNSUPPORTED
    domain = Origin.DOMAIN


class InvalidArgumentError(LibvirtError):
    """An argument of a call that is out of range or contradicts another."""

    code = Code.INVALID_ARG


class NoSuchDomainError(LibvirtError):
    """No guest of that name, id or UUID."""

    code = Code.NO_DOMAIN
    domain = Origin.QEMU


class OperationInvalidError(LibvirtError):
    """The call is legal, but not in the guest's present state."""

    code = Code.OPERATION_INVALID
    domain = Origin.QEMU


class OperationFailedError(LibvirtError):
    """The work was tried and did not come about."""

    code = Code.OPERATION_FAILED
    domain = Origin.QEMU


class OperationUnsupportedError(LibvirtError):
    """The call is known, and this kind of guest or host has no such thing."""

    code = Code.OPERATION_UNSUPPORTED
    domain = Origin.QEMU


class OperationTimeoutError(LibvirtError):
    """A deadline passed: the guest's job is held by another call, or QEMU did not answer."""

    code = Code.OPERATION_TIMEOUT
    domain = Origin.QEMU


class NotSupportedError(LibvirtError):
    """No driver answers this procedure; clients then try an older one."""

    code = Code.NO_SUPPORT
    domain = Origin.REMOTE


class ReadOnlyError(LibvirtError):
    """The connection is read-only and the call is not."""

    code = Code.OPERATION_DENIED


class AgentError(LibvirtError):
    """The guest agent is absent, silent or answered with an error."""

    code = Code.AGENT_UNRESPONSIVE
    domain = Origin.QEMU


class InternalError(LibvirtError):
    """QEMU, the host or Guesthouse itself did something unforeseen."""

    code = Code.INTERNAL_ERROR
