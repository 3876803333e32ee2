"""Connection URIs: what they mean, which socket they lead to, and what name the daemon is told.

Format: https://libvirt.org/uri.html. A URI is `DRIVER[+TRANSPORT]://[USER@][HOST][:PORT]/PATH[?PARAMETERS]`. Some
parameters are for the client alone (`OURS`) and never reach the daemon. The module does no I/O but to ask which
sockets exist, and reads no environment: the command hands over what matters as `Surroundings`.
"""

from __future__ import annotations

import os

from guesthouse.errors import Code, InvalidArgumentError, LibvirtError, Origin

TRANSPORTS = ("tls", "unix", "ssh", "ext", "tcp", "libssh2", "libssh")

#: Parameters that the client keeps for itself.
OURS = (
    "name",
    "command",
    "socket",
    "auth",
    "sshauth",
    "netcat",
    "keyfile",
    "pkipath",
    "known_hosts",
    "known_hosts_verify",
    "tls_priority",
    "mode",
    "proxy",
    "no_sanity",
    "no_verify",
    "no_tty",
    "authfile",
)

MODES = ("auto", "legacy", "direct")

#: Drivers whose path must be `/system` or `/session`, where people forget the third slash.
SLASHED = ("qemu", "vbox", "vz")

SYSTEM_SOCKETS = "/var/run/libvirt"


class Surroundings:
    """What of the caller's surroundings decides about a connection.

    `uid` is the effective user, `runtime` the directory for the user's sockets (`$XDG_RUNTIME_DIR/libvirt` or below
    the cache directory), `config` the path of the applicable `libvirt.conf`, `default` the URI to take when none is
    given (from `LIBVIRT_DEFAULT_URI`), `autostart` whether a session daemon may be started, `daemon` the program and
    the arguments that start one.
    """

    __slots__ = ("autostart", "config", "daemon", "default", "runtime", "uid")

    def __init__(
        self,
        uid: int,
        runtime: str,
        config: str,
        *,
        default: str = "",
        autostart: bool = True,
        daemon: tuple[str, ...] = (),
    ) -> None:
        self.uid = uid
        self.runtime = runtime
        self.config = config
        self.default = default
        self.autostart = autostart
        self.daemon = daemon

    @classmethod
    def of(cls, environment: dict[str, str], uid: int, daemon: tuple[str, ...] = ()) -> Surroundings:
        """The surroundings that an environment describes (libvirt's manual page virsh(1), "ENVIRONMENT")."""
        home = environment.get("HOME") or os.path.expanduser("~")
        cache = environment.get("XDG_CACHE_HOME") or f"{home}/.cache"
        settings = environment.get("XDG_CONFIG_HOME") or f"{home}/.config"
        given = environment.get("XDG_RUNTIME_DIR")
        runtime = f"{given}/libvirt" if given else f"{cache}/libvirt"
        config = "/etc/libvirt/libvirt.conf" if uid == 0 else f"{settings}/libvirt/libvirt.conf"
        return cls(
            uid,
            runtime,
            config,
            default=environment.get("LIBVIRT_DEFAULT_URI", ""),
            autostart=environment.get("LIBVIRT_AUTOSTART") != "0",
            daemon=daemon,
        )


class ConnectionUri:
    """A URI in its parts. `text` is the whole as given; `parameters` are pairs in their order."""

    __slots__ = ("driver", "host", "parameters", "path", "port", "text", "transport", "user")

    def __init__(self, text: str) -> None:
        """Parse. Raises LibvirtError in libvirt's words where it is none, or none that libvirt knows."""
        self.text = text
        scheme, sign, rest = text.partition("://")
        if not sign or not scheme:
            raise LibvirtError(f"URI '{text}' does not include a driver name", code=Code.NO_CONNECT)
        rest = rest.partition("#")[0]
        rest, _, query = rest.partition("?")
        authority, slash, path = rest.partition("/")
        self.path = percent_decoded(slash + path)
        self.user, self.host, self.port = _authority(authority, text)
        self.driver, plus, transport = scheme.partition("+")
        self.transport = transport.lower() if plus else ("tls" if self.host else "unix")
        self.parameters = _parameters(query)
        self._check()

    def _check(self) -> None:
        if self.driver in SLASHED and self.host in ("system", "session"):
            raise LibvirtError(
                f"invalid URI {self.text} (maybe you want {self.driver}:///{self.host})", code=Code.INTERNAL_ERROR
            )
        if self.transport not in TRANSPORTS:
            raise InvalidArgumentError(
                "remote_open: transport in URL not recognised (should be tls|unix|ssh|ext|tcp|libssh2|libssh)"
            )
        if self.transport == "unix" and self.host:
            raise InvalidArgumentError(f"using unix socket and remote server '{self.host}' is not supported.")

    def parameter(self, name: str) -> str | None:
        """The value of a parameter, its name in any case; the last one counts."""
        found = None
        for key, value in self.parameters:
            if key.lower() == name:
                found = value
        return found

    @property
    def open_name(self) -> str:
        """The name for CONNECT_OPEN: without transport and host and without the client's own parameters."""
        name = self.parameter("name")
        if name is not None:
            return name
        if self.driver == "remote":
            return ""
        query = "&".join(
            f"{percent_encoded(key)}={percent_encoded(value)}"
            for key, value in self.parameters
            if key.lower() not in OURS
        )
        return f"{self.driver}://{percent_encoded(self.path, keep='/')}" + (f"?{query}" if query else "")


def _authority(text: str, whole: str) -> tuple[str, str, int]:
    """User, host and port of the part between the slashes; the port is 0 where none is given."""
    user, at, host = text.rpartition("@")
    if host.startswith("["):
        address, _, rest = host[1:].partition("]")
        port = rest.removeprefix(":")
        host = address
    else:
        host, _, port = host.partition(":")
    if port and not port.isdigit():
        raise LibvirtError(f"Unable to parse URI {whole}", code=Code.INTERNAL_ERROR, domain=Origin.URI)
    return percent_decoded(user) if at else "", percent_decoded(host), int(port or 0)


def _parameters(query: str) -> list[tuple[str, str]]:
    pairs = []
    for part in query.replace(";", "&").split("&"):
        if part:
            key, _, value = part.partition("=")
            pairs.append((percent_decoded(key), percent_decoded(value)))
    return pairs


def percent_decoded(text: str) -> str:
    """`text` with `%XX` as the bytes that they stand for; a stray `%` stays."""
    if "%" not in text:
        return text
    first, *parts = text.split("%")
    data = bytearray(first.encode())
    for part in parts:
        digits = part[:2]
        if len(digits) == 2 and all(digit in "0123456789abcdefABCDEF" for digit in digits):
            data.append(int(digits, 16))
            data += part[2:].encode()
        else:
            data += b"%" + part.encode()
    return data.decode("utf-8", "surrogateescape")


def percent_encoded(text: str, keep: str = "") -> str:
    """`text` with everything but unreserved characters and those in `keep` as `%XX`."""
    if text.replace("/", "").isalnum() and text.isascii() and ("/" not in text or "/" in keep):
        return text
    return "".join(
        char if char.isascii() and (char.isalnum() or char in "-._~" + keep) else _hex(char) for char in text
    )


def _hex(char: str) -> str:
    return "".join(f"%{byte:02X}" for byte in char.encode("utf-8", "surrogateescape"))


class Endpoint:
    """Where to connect: the socket, and the program that would own it where it may be started on demand."""

    __slots__ = ("path", "spawn")

    def __init__(self, path: str, *, spawn: bool) -> None:
        self.path = path
        self.spawn = spawn


def endpoint(uri: ConnectionUri | None, surroundings: Surroundings, *, readonly: bool, mode: str = "") -> Endpoint:
    """The unix socket that a URI leads to (None: the daemon picks a driver).

    libvirt's rule: `socket=` wins; else `virtDRIVERd-sock` where it exists, else `libvirt-sock`, or what `mode=`
    forces; below the user's runtime directory for `/session` of a user who is not root.
    """
    given = uri.parameter("socket") if uri else None
    mode = (uri.parameter("mode") if uri else None) or mode or "auto"
    if mode not in MODES:
        raise InvalidArgumentError(f"Unknown remote mode '{mode}'")
    session = surroundings.uid != 0 and (uri is None or uri.path == "/session")
    if given:
        return Endpoint(given, spawn=False)
    if session:
        directory, suffix = surroundings.runtime, "sock"
    else:
        directory, suffix = SYSTEM_SOCKETS, "sock-ro" if readonly else "sock"
    legacy = f"{directory}/libvirt-{suffix}"
    direct = f"{directory}/virt{uri.driver}d-{suffix}" if uri else ""
    if mode == "direct" and not direct:
        raise LibvirtError(
            "mode=direct needs a URI that names the driver", code=Code.OPERATION_UNSUPPORTED, domain=Origin.REMOTE
        )
    use_direct = mode == "direct" or (mode == "auto" and direct != "" and os.path.exists(direct))
    return Endpoint(direct if use_direct else legacy, spawn=session and surroundings.autostart)
