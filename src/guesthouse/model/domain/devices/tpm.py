"""Trusted platform modules: the host's, an emulated one that is ours, or one that somebody else emulates.

Source: https://libvirt.org/formatdomain.html#tpm-device.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar, Final

from guesthouse.errors import UnsupportedConfigError, XmlError
from guesthouse.model.binding import attr, element, flag, must, new, one, opt
from guesthouse.model.domain.devices import swtpm
from guesthouse.model.domain.devices.base import Alias, Device, DeviceContext, alias_slot
from guesthouse.model.domain.secrets import SecretReference
from guesthouse.model.helper_programs import HelperProgram
from guesthouse.model.kinds import ABSOLUTE_PATH, TEXT, UINT, UUID, YES_NO, one_of
from guesthouse.model.qemu_objects import Chardev, Option, Props, QemuObject, quoted
from guesthouse.model.qemu_objects import Device as QemuDevice

TIS: Final = "tpm-tis"
CRB: Final = "tpm-crb"
#: The models of pSeries machines, which no guest here is.
_PSERIES: Final = ("tpm-spapr", "spapr-tpm-proxy")
#: All models that libvirt documents.
_MODELS: Final = one_of(TIS, CRB, *_PSERIES)
_BANKS: Final = ("sha1", "sha256", "sha384", "sha512")
_LINE: Final = "chrtpm"
_HOST_TPM: Final = "/dev/tpm0"


@element("active_pcr_banks")
class PcrBanks:
    """The banks of measurements that a TPM 2.0 keeps."""

    sha1: bool = flag()
    sha256: bool = flag()
    sha384: bool = flag()
    sha512: bool = flag()

    @property
    def names(self) -> tuple[str, ...]:
        """Those that are wanted."""
        return tuple(name for name in _BANKS if getattr(self, name))


@element("source")
class TpmSource:
    """Where the state lies (`file` or `dir`), or the socket (`unix`) of an emulator of somebody else's."""

    type: str | None = opt(TEXT)
    mode: str | None = opt(one_of("connect", "bind"))
    path: str | None = opt(ABSOLUTE_PATH)


@element("profile")
class TpmProfile:
    """What a TPM 2.0 offers. `name` is the name that it turned out to have."""

    source: str | None = opt(TEXT)
    remove_disabled: str | None = opt(one_of("check", "fips-host"), "removeDisabled")
    name: str | None = opt(TEXT)


@element("backend")
class TpmBackend:
    """What stands behind the device. Which children count is the type's matter.

    `fate` says of a guest that was undefined while it ran what becomes of its state at the end, if its client said so.
    """

    type: str = attr(one_of("passthrough", "emulator", "external"))
    fate: str | None = opt(one_of("keep", "remove"), status=True)
    version: str | None = opt(one_of("1.2", "2.0"))
    persistent_state: bool | None = opt(YES_NO)
    debug: int | None = opt(UINT)
    device: str | None = opt(ABSOLUTE_PATH, "path", within="device")
    encryption: str | None = opt(UUID, "secret", within="encryption")
    banks: PcrBanks | None = one(PcrBanks)
    source: TpmSource | None = one(TpmSource)
    profile: TpmProfile | None = one(TpmProfile)

    def parsed(self) -> None:
        """Raise `XmlError` for a source that does not fit; leave out what says nothing, as libvirt does."""
        self.persistent_state = self.persistent_state or None
        self.debug = self.debug or None
        if self.banks is not None and not self.banks.names:
            self.banks = None
        if self.profile is not None and self.profile.source is None and self.profile.name is None:
            self.profile = None
        _READ[self.type](self)


def _read_passthrough(backend: TpmBackend) -> None:
    backend.device = backend.device or _HOST_TPM
    _refuse(backend, "version", "persistent_state", "debug", "encryption", "banks", "source", "profile")


def _read_emulator(backend: TpmBackend) -> None:
    source = backend.source
    if source is not None:
        if source.path is None:
            raise XmlError("missing TPM source path")
        if source.type not in ("file", "dir"):
            raise XmlError(f"Invalid value for attribute 'type' in element 'source': '{source.type}'")
        source.mode = None
    _refuse(backend, "device")


def _read_external(backend: TpmBackend) -> None:
    source = backend.source
    if source is None or source.type is None:
        raise XmlError("missing external TPM backend source type")
    if source.type != "unix":
        raise XmlError("only source type 'unix' is supported for external TPM device")
    if source.mode == "bind":
        raise XmlError("only 'connect' mode is supported for external TPM device")
    if source.path is None:
        raise XmlError("missing socket path for external TPM device")
    source.mode = "connect"
    _refuse(backend, "version", "persistent_state", "debug", "encryption", "banks", "profile", "device")


def _refuse(backend: TpmBackend, *names: str) -> None:
    for name in names:
        if getattr(backend, name) is not None:
            word = {"banks": "active_pcr_banks"}.get(name, name)
            raise UnsupportedConfigError(f"'{word}' does not apply to a TPM backend of type '{backend.type}'")


_READ: Final[dict[str, Callable[[TpmBackend], None]]] = {
    "passthrough": _read_passthrough,
    "emulator": _read_emulator,
    "external": _read_external,
}


def _key_of(encryption: str | None, ctx: DeviceContext) -> bytes | None:
    """What encrypts the state: the value of the secret that the definition names."""
    return None if encryption is None else ctx.secret("vtpm", new(SecretReference, uuid=encryption))


@element("tpm")
class Tpm(Device):
    """A TPM."""

    ALIAS: ClassVar[str] = "tpm"

    model: str | None = opt(_MODELS)
    backend: TpmBackend = must(TpmBackend)
    alias: Alias | None = alias_slot()

    def defaults(self, ctx: DeviceContext) -> None:
        """The TIS model; a TPM 1.2 behind it on a PC, as it ever was, else a TPM 2.0."""
        self.model = self.model or TIS
        if self.backend.type == "emulator" and self.backend.version is None:
            self.backend.version = "1.2" if self.model == TIS and ctx.x86 else "2.0"

    def check(self, ctx: DeviceContext) -> None:
        """The machine and QEMU have the model, and it goes with the version."""
        backend = self.backend
        version = backend.version
        if backend.banks is not None and version != "2.0":
            raise XmlError("<active_pcr_banks/> requires TPM version '2.0'")
        if backend.profile is not None and backend.profile.source is not None and version != "2.0":
            raise XmlError("<profile/> requires TPM version '2.0'")
        if version == "1.2" and self.model != TIS:
            raise UnsupportedConfigError(f"TPM 1.2 is not supported for model '{self.model}'")
        if version == "1.2" and not ctx.x86:
            raise UnsupportedConfigError(f"TPM 1.2 is not supported on architecture '{ctx.arch}'")
        kind = "passthrough" if backend.type == "passthrough" else "emulator"
        if kind not in ctx.qemu.tpm_backends:
            raise UnsupportedConfigError(
                f"The QEMU executable {ctx.qemu.binary} does not support TPM backend type {backend.type}"
            )
        if self.model in _PSERIES or (self.model == CRB and not ctx.x86) or not self._has_model(ctx):
            raise UnsupportedConfigError(
                f"The QEMU executable {ctx.qemu.binary} does not support TPM model {self.model}"
            )

    def _driver(self, ctx: DeviceContext) -> str:
        return f"{TIS}-device" if self.model == TIS and not ctx.x86 else self.model or TIS

    def _has_model(self, ctx: DeviceContext) -> bool:
        return self._driver(ctx) in ctx.qemu.tpm_models or ctx.qemu.has_device(self._driver(ctx))

    def state_path(self, ctx: DeviceContext) -> str:
        """Where the state of an emulated TPM lies: a directory, or the file that the definition names."""
        source = self.backend.source
        if source is not None and source.path is not None:
            return source.path
        version = swtpm.DIRECTORIES[self.backend.version or "2.0"]
        return f"{ctx.parts.swtpm_storage}/{ctx.guest_uuid}/{version}"

    def _socket(self, ctx: DeviceContext) -> str:
        if self.backend.type == "external" and self.backend.source is not None:
            return self.backend.source.path or ""
        return f"{ctx.guest_dir}/swtpm.sock"

    def helpers(self, ctx: DeviceContext) -> list[HelperProgram]:
        """swtpm, for an emulated TPM that is ours."""
        backend = self.backend
        if backend.type != "emulator":
            return []
        profile = backend.profile or new(TpmProfile)
        wishes = swtpm.Wishes(
            version=backend.version or "2.0",
            path=self.state_path(ctx),
            in_file=backend.source is not None and backend.source.type == "file",
            debug=backend.debug or 0,
            key=_key_of(backend.encryption, ctx),
            banks=backend.banks.names if backend.banks is not None else (),
            profile=profile.source,
            remove_disabled=profile.remove_disabled,
        )
        return [swtpm.program(wishes, self._socket(ctx), ctx.guest_name, ctx.guest_uuid, ctx.parts)]

    def objects(self, ctx: DeviceContext) -> list[QemuObject]:
        """The way to the TPM, the backend and the device. None of it can be plugged into a running guest."""
        id_ = f"tpm-{self.name}"
        made: list[QemuObject] = []
        if self.backend.type == "passthrough":
            backend = ["passthrough", f"id={id_}", *self._host_device(ctx, made)]
        else:
            made.append(Chardev(_LINE, "socket", {"path": self._socket(ctx)}))
            backend = ["emulator", f"id={id_}", f"chardev={_LINE}"]
        props: Props = {"driver": self._driver(ctx), "tpmdev": id_, "id": self.name}
        return [*made, Option("-tpmdev", ",".join(backend)), QemuDevice(props)]

    def _host_device(self, ctx: DeviceContext, made: list[QemuObject]) -> list[str]:
        """The words for the host's TPM, and for the file by which a command is cancelled (QEMU finds it by itself)."""
        path = self.backend.device or _HOST_TPM
        device = ctx.parts.open_device(path, f"{self.name}-tpm")
        cancel = ctx.parts.open_device(f"/sys/class/tpm/{path.rpartition('/')[2]}/device/cancel", f"{self.name}-cancel")
        if device is None or cancel is None:
            return [f"path={quoted(path)}"]
        made += [device, cancel]
        return [f"path={device.path}", f"cancel-path={cancel.path}"]
