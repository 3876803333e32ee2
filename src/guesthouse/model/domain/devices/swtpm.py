"""swtpm, the program that is a guest's TPM: its state is set up once, then one runs beside each QEMU.

Source: swtpm(8), swtpm_setup(8), and https://libvirt.org/formatdomain.html#tpm-device. The state lies where libvirt
keeps it: `STORAGE/UUID/tpm2` or `tpm1.2`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from guesthouse.errors import Code, LibvirtError, OperationFailedError, UnsupportedConfigError
from guesthouse.model.domain.host_parts import HostParts, TpmPrograms
from guesthouse.model.helper_programs import Handed, HelperProgram, ListeningSocket, OwnLog, Preparation, SecretText

PROGRAM: Final = "swtpm"
SETUP: Final = "swtpm_setup"
#: What its versions are called in the names of directories.
DIRECTORIES: Final = {"1.2": "tpm1.2", "2.0": "tpm2"}

#: How long making a TPM's keys and certificates may take, in seconds: RSA keys are searched.
_SETUP_DEADLINE: Final = 120.0
_CIPHER: Final = "aes-256-cbc"
_LOCK_FEATURE: Final = "tpmstate-opt-lock"


@dataclass(frozen=True, slots=True)
class Wishes:
    """What the definition says. `path` is the state, a file or a directory; `key` is what encrypts it."""

    version: str
    path: str
    in_file: bool = False
    debug: int = 0
    key: bytes | None = None
    banks: tuple[str, ...] = ()
    profile: str | None = None
    remove_disabled: str | None = None


def program(wishes: Wishes, socket: str, name: str, uuid: str, parts: HostParts) -> HelperProgram:
    """The whole of it: what has to be done before, and the program.

    Raises `OperationFailedError` where the host has no swtpm, a `LibvirtError` (74) where it is too old for a wish.
    """
    found = parts.find_swtpm()
    if found is None:
        raise OperationFailedError(
            f"Unable to find '{PROGRAM}' binary in $PATH: No such file or directory",
            hint="install the packages swtpm and swtpm-tools",
        )
    _check(wishes, found)
    words: list[str | Handed] = [PROGRAM, "socket", "--ctrl", Handed(ListeningSocket(socket), "type=unixio,fd=")]
    lock = ",lock" if _LOCK_FEATURE in found.features else ""
    state = f"backend-uri=file://{wishes.path}{lock}" if wishes.in_file else f"dir={wishes.path},mode=0600{lock}"
    level = f",level={wishes.debug}" if wishes.debug else ""
    words += ["--tpmstate", state, "--log", Handed(OwnLog(), "fd=", level), "--terminate"]
    if wishes.version == "2.0":
        words.append("--tpm2")
    if wishes.key is not None:
        key = SecretText(wishes.key)
        words += ["--key", Handed(key, "pwdfd=", f",mode={_CIPHER}")]
        words += ["--migration-key", Handed(key, "pwdfd=", f",mode={_CIPHER}")]
    if found.user is not None:
        words += ["--runas", found.user]
    return HelperProgram(
        PROGRAM,
        tuple(words),
        before=tuple(_before(wishes, found, name, uuid)),
        environment=dict(found.environment),
        package=PROGRAM,
    )


def _check(wishes: Wishes, found: TpmPrograms) -> None:
    if "," in wishes.path:
        raise UnsupportedConfigError(
            f"{PROGRAM} cannot keep its state in '{wishes.path}': its options part words by commas",
            hint="choose a path without ','",
        )
    if wishes.in_file and "nvram-backend-dir" not in found.features:
        raise LibvirtError(f"{PROGRAM} does not support file storage", code=Code.ARGUMENT_UNSUPPORTED)
    if wishes.key is not None and "cmdarg-pwd-fd" not in found.features:
        raise LibvirtError(
            f"{PROGRAM} does not support passing passphrase via file descriptor", code=Code.ARGUMENT_UNSUPPORTED
        )
    if wishes.profile is not None and "cmdarg-profile" not in found.setup_features:
        raise LibvirtError(f"{SETUP} has no support for profiles", code=Code.ARGUMENT_UNSUPPORTED)


def _before(wishes: Wishes, found: TpmPrograms, name: str, uuid: str) -> list[Preparation]:
    steps = []
    if found.own_configuration and "cmdarg-create-config-files" in found.setup_features:
        steps.append(Preparation((SETUP, "--create-config-files", "skip-if-exist,root"), deadline=_SETUP_DEADLINE))
    common = _common(wishes, found)
    made: list[str | Handed] = [SETUP, *common, "--vmid", f"{name}:{uuid}", "--createek", "--create-ek-cert"]
    made += ["--create-platform-cert", "--lock-nvram", "--not-overwrite"]
    if wishes.profile is not None:
        made += ["--profile-name", wishes.profile]
        if wishes.remove_disabled is not None:
            made += ["--profile-remove-disable", wishes.remove_disabled]
    directory = None if wishes.in_file else wishes.path
    steps.append(Preparation(tuple(made), directory=directory, owner=found.user, deadline=_SETUP_DEADLINE))
    if wishes.banks and wishes.version == "2.0" and "cmdarg-reconfigure-pcr-banks" in found.setup_features:
        again = (SETUP, *common, "--pcr-banks", ",".join(wishes.banks), "--reconfigure")
        steps.append(Preparation(again, deadline=_SETUP_DEADLINE))
    return steps


def _common(wishes: Wishes, found: TpmPrograms) -> list[str | Handed]:
    words: list[str | Handed] = []
    if found.user is not None:
        words += ["--runas", found.user]
    if wishes.version == "2.0":
        words.append("--tpm2")
    if wishes.key is not None:
        words += ["--pwdfile-fd", Handed(SecretText(wishes.key)), "--cipher", _CIPHER]
    return [*words, "--tpm-state", f"file://{wishes.path}" if wishes.in_file else wishes.path]
