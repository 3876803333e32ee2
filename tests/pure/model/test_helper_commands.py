"""The command lines of the programs that run beside QEMU."""

from __future__ import annotations

import pytest

from guesthouse.errors import LibvirtError
from guesthouse.model.binding import new
from guesthouse.model.domain.devices import swtpm, virtiofsd
from guesthouse.model.domain.devices.virtiofsd import FilesystemBinary, GroupRange, IdMap, Locks, UserRange
from guesthouse.model.domain.host_parts import HostParts, TpmPrograms, Virtiofsd
from guesthouse.model.domain.host_settings import HostSettings
from guesthouse.model.helper_programs import Handed, HelperProgram, Preparation

NEW = Virtiofsd("/usr/libexec/virtiofsd")
OLD = Virtiofsd("/usr/lib/qemu/virtiofsd", separate_options=False)
FEATURES = frozenset({"cmdarg-pwd-fd", "nvram-backend-dir", "tpmstate-opt-lock"})
SETUP_FEATURES = frozenset({"cmdarg-create-config-files", "cmdarg-reconfigure-pcr-banks", "cmdarg-profile"})


def words(item: HelperProgram | Preparation) -> str:
    """The command line; what is handed over shows as `{…}`."""
    return " ".join(
        word if isinstance(word, str) else f"{word.before}{{{type(word.what).__name__}}}{word.after}"
        for word in item.argv
    )


def share(
    binary: FilesystemBinary | None, found: Virtiofsd | None, *, idmap: IdMap | None = None, readonly: bool = False
) -> HelperProgram:
    return virtiofsd.program(
        "fs0", binary, idmap, directory="/srv, too", socket="/run/fs0.sock", readonly=readonly,
        settings=HostSettings(virtiofsd_debug=readonly), found=found,
    )  # fmt: skip


def test_virtiofsd() -> None:
    plain = share(None, NEW)
    assert plain.name == "fs0-virtiofsd"
    assert words(plain) == "/usr/libexec/virtiofsd --fd={ListeningSocket} --shared-dir /srv, too"
    binary = new(FilesystemBinary, xattr=True, cache="none", sandbox="chroot", thread_pool=0, openfiles=99)
    idmap = new(IdMap, uids=[new(UserRange, start=0, target=1000, count=9)], gids=[new(GroupRange, start=1)])
    assert words(share(binary, NEW, idmap=idmap, readonly=True)).partition("too ")[2] == (
        "--cache never --sandbox chroot --xattr --thread-pool-size=0 --rlimit-nofile=99 --log-level debug "
        "--uid-map=:0:1000:9: --gid-map=:1:0:0: --readonly"
    )


def test_virtiofsd_of_old() -> None:
    binary = new(FilesystemBinary, path="/opt/virtiofsd", xattr=False, cache="always", lock=new(Locks, posix=True))
    assert words(share(binary, OLD)) == (
        "/opt/virtiofsd --fd={ListeningSocket} -o source=/srv,, too,cache=always,no_xattr,posix_lock"
    )
    assert words(share(None, OLD, readonly=True)).endswith("-d --readonly")


def test_an_ordinary_user_maps_ids() -> None:
    found = Virtiofsd("/v", True, ((0, 1000, 1), (1, 100000, 65536)), ((0, 1000, 1),))
    assert words(share(None, found)).endswith("--uid-map=:0:1000:1: --uid-map=:1:100000:65536: --gid-map=:0:1000:1:")


def test_what_virtiofsd_cannot_do() -> None:
    with pytest.raises(LibvirtError, match="Unable to find a satisfying virtiofsd"):
        share(None, None)
    with pytest.raises(LibvirtError, match="locking options are not supported by this virtiofsd"):
        share(new(FilesystemBinary, lock=new(Locks, flock=True)), NEW)


def tpm(wishes: swtpm.Wishes, found: TpmPrograms | None) -> HelperProgram:
    return swtpm.program(wishes, "/run/swtpm.sock", "web", "u-u-i-d", HostParts(find_swtpm=lambda: found))


def test_swtpm() -> None:
    made = tpm(swtpm.Wishes("2.0", "/lib/swtpm/u/tpm2"), TpmPrograms(FEATURES, SETUP_FEATURES))
    assert words(made) == (
        "swtpm socket --ctrl type=unixio,fd={ListeningSocket} --tpmstate dir=/lib/swtpm/u/tpm2,mode=0600,lock "
        "--log fd={OwnLog} --terminate --tpm2"
    )
    [setup] = made.before
    assert setup.directory == "/lib/swtpm/u/tpm2"
    assert words(setup) == (
        "swtpm_setup --tpm2 --tpm-state /lib/swtpm/u/tpm2 --vmid web:u-u-i-d --createek --create-ek-cert "
        "--create-platform-cert --lock-nvram --not-overwrite"
    )


def test_swtpm_with_everything() -> None:
    wishes = swtpm.Wishes(
        "2.0", "/srv/state", in_file=True, debug=5, key=b"secret", banks=("sha1", "sha256"), profile="local:x",
        remove_disabled="check",
    )  # fmt: skip
    found = TpmPrograms(FEATURES, SETUP_FEATURES, user="tss", own_configuration=True, environment=(("A", "b"),))
    made = tpm(wishes, found)
    assert words(made) == (
        "swtpm socket --ctrl type=unixio,fd={ListeningSocket} --tpmstate backend-uri=file:///srv/state,lock "
        "--log fd={OwnLog},level=5 --terminate --tpm2 --key pwdfd={SecretText},mode=aes-256-cbc "
        "--migration-key pwdfd={SecretText},mode=aes-256-cbc --runas tss"
    )
    assert made.environment == {"A": "b"}
    configure, setup, again = made.before
    assert words(configure) == "swtpm_setup --create-config-files skip-if-exist,root"
    common = (
        "swtpm_setup --runas tss --tpm2 --pwdfile-fd {SecretText} --cipher aes-256-cbc --tpm-state file:///srv/state"
    )
    assert words(setup).startswith(common)
    assert words(setup).endswith("--profile-name local:x --profile-remove-disable check")
    assert setup.directory is None
    assert words(again) == f"{common} --pcr-banks sha1,sha256 --reconfigure"


def test_secrets_are_on_no_command_line() -> None:
    made = tpm(swtpm.Wishes("2.0", "/s", key=b"hunter2"), TpmPrograms(FEATURES, SETUP_FEATURES))
    assert "hunter2" not in repr(made)
    assert any(isinstance(word, Handed) and "pwdfd" in word.before for word in made.argv)


def test_an_old_tpm() -> None:
    made = tpm(swtpm.Wishes("1.2", "/s"), TpmPrograms(frozenset(), frozenset()))
    assert words(made).endswith("--tpmstate dir=/s,mode=0600 --log fd={OwnLog} --terminate")
    assert "--tpm2" not in words(made.before[0])


@pytest.mark.parametrize(
    ("wishes", "part"),
    [
        (swtpm.Wishes("2.0", "/s", in_file=True), "swtpm does not support file storage"),
        (swtpm.Wishes("2.0", "/s", key=b"k"), "does not support passing passphrase via file descriptor"),
        (swtpm.Wishes("2.0", "/s", profile="p"), "swtpm_setup has no support for profiles"),
    ],
)
def test_what_an_old_swtpm_cannot_do(wishes: swtpm.Wishes, part: str) -> None:
    with pytest.raises(LibvirtError, match=part):
        tpm(wishes, TpmPrograms(frozenset(), frozenset()))


def test_a_host_without_swtpm_says_what_to_install() -> None:
    with pytest.raises(LibvirtError, match=r"Unable to find 'swtpm' binary.*install the packages swtpm"):
        tpm(swtpm.Wishes("2.0", "/s"), None)


def test_a_path_that_would_be_several_options_is_refused() -> None:
    with pytest.raises(LibvirtError, match="its options part words by commas"):
        tpm(swtpm.Wishes("2.0", "/lib/tpm,mode=0666"), TpmPrograms(FEATURES, SETUP_FEATURES))
