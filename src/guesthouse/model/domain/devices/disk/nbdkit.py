"""Storage that nbdkit reaches instead of QEMU: web and FTP servers, and SSH with keys and passwords.

QEMU then only speaks NBD to a program beside it. An administrator asks for it with `storage_use_nbdkit` in `qemu.conf`.

Source: https://libvirt.org/formatdomain.html#hard-drives-floppy-disks-cdroms (`network`), libvirt's `qemu.conf`;
nbdkit-curl-plugin(1), nbdkit-ssh-plugin(1).
"""

from __future__ import annotations

from guesthouse.errors import UnsupportedConfigError
from guesthouse.model.domain.devices.base import DeviceContext
from guesthouse.model.domain.devices.disk.protocols import CURL
from guesthouse.model.domain.devices.disk.remote import url_of
from guesthouse.model.domain.devices.disk.source import PlainSource
from guesthouse.model.domain.secrets import Auth
from guesthouse.model.helper_programs import Handed, HelperProgram, SecretText

_PROGRAM = "nbdkit"


def serves(source: PlainSource, ctx: DeviceContext) -> bool:
    """Whether nbdkit is asked for this source."""
    return ctx.settings.storage_use_nbdkit and source.protocol in (*CURL, "ssh")


def socket_of(node: str, ctx: DeviceContext) -> str:
    """Where nbdkit serves the storage of a node."""
    return f"{ctx.guest_dir}/nbdkit-{node}.socket"


def check(source: PlainSource, auth: Auth | None, ctx: DeviceContext) -> None:
    """Raise `UnsupportedConfigError` for what QEMU's own SSH driver cannot do."""
    if source.protocol == "ssh" and not serves(source, ctx) and (source.identity or source.known_hosts or auth):
        raise UnsupportedConfigError(
            "<identity>, <knownHosts> and <auth> of 'ssh' disks need nbdkit",
            hint="set 'storage_use_nbdkit = 1' in qemu.conf, or have an SSH agent",
        )


def program(node: str, source: PlainSource, auth: Auth | None, readonly: bool, ctx: DeviceContext) -> HelperProgram:
    """The nbdkit that serves the storage of a node. Secrets reach it by descriptors."""
    words: list[str | Handed] = [_PROGRAM, "--unix", socket_of(node, ctx), "--foreground"]
    if readonly:
        words.append("--readonly")
    if source.readahead:
        words += ["--filter", "readahead"]
    words += _ssh(source) if source.protocol == "ssh" else _curl(source)
    if auth is not None:
        words.append(f"user={auth.username}")
        words.append(Handed(SecretText(ctx.secret("iscsi", auth.secret)), before="password=-"))
    environment: dict[str, str] = {}
    if source.identity is not None and source.identity.agentsock is not None:
        environment["SSH_AUTH_SOCK"] = source.identity.agentsock
    return HelperProgram(
        f"nbdkit-{node}",
        tuple(words),
        ready=socket_of(node, ctx),
        environment=environment,
        package="nbdkit",
    )


def _curl(source: PlainSource) -> list[str | Handed]:
    # A web server may send to its encrypted side.
    words: list[str | Handed] = [
        "curl",
        f"protocols={'http,https' if source.protocol == 'http' else source.protocol}",
        f"url={url_of(source)}",
    ]
    if source.cookies is not None:
        words.append(Handed(SecretText(source.cookies.text.encode()), before="cookie=-"))
    if source.ssl is False:
        words.append("sslverify=false")
    if source.timeout:
        words.append(f"timeout={source.timeout}")
    return words


def _ssh(source: PlainSource) -> list[str | Handed]:
    host = source.hosts[0]
    words: list[str | Handed] = ["ssh", f"host={host.name}", f"port={host.port or 22}", f"path={source.name}"]
    identity = source.identity
    if identity is not None:
        words += [f"identity={identity.keyfile}"] if identity.keyfile is not None else []
        words += [f"user={identity.username}"]
    if source.known_hosts is not None:
        words.append(f"known-hosts={source.known_hosts}")
    return words
