"""Guests whose memory the host cannot read: `<launchSecurity>`.

Format: https://libvirt.org/formatdomain.html#launch-security; objects: QEMU's `qapi/qom.json` (`sev-guest`,
`sev-snp-guest`, `s390-pv-guest`).
"""

from __future__ import annotations

from typing import Final, TypeAlias

from guesthouse.errors import UnsupportedConfigError
from guesthouse.model.binding import attr, element, leaf, opt, opt_leaf
from guesthouse.model.domain.launch import LaunchContext
from guesthouse.model.kinds import TEXT, UINT, YES_NO, hexadecimal, one_of
from guesthouse.model.qemu_objects import Object, Props, without_none

#: The object's name, which libvirt gave it.
ID: Final = "lsec0"
_INT: Final = 2**32 - 1
_LONG: Final = 2**64 - 1
_CERTIFICATE: Final = "dh_cert.base64"
_SESSION: Final = "session.base64"


@element("launchSecurity")
class Sev:
    """AMD's Secure Encrypted Virtualization. `cbitpos` and `reduced_bits` are facts of the host's processor."""

    type: str = attr(one_of("sev"))
    kernel_hashes: bool | None = opt(YES_NO, "kernelHashes")
    cbitpos: int | None = opt_leaf(UINT)
    reduced_bits: int | None = opt_leaf(UINT, "reducedPhysBits")
    policy: int = leaf(hexadecimal(4, _INT))
    certificate: str | None = opt_leaf(TEXT, "dhCert")
    session: str | None = opt_leaf(TEXT)

    def properties(self, launch: LaunchContext) -> Props:
        """The object's type and properties."""
        return {
            "qom-type": "sev-guest",
            **_bits(self, launch),
            "policy": self.policy,
            "dh-cert-file": f"{launch.guest_dir}/{_CERTIFICATE}" if self.certificate is not None else None,
            "session-file": f"{launch.guest_dir}/{_SESSION}" if self.session is not None else None,
            "kernel-hashes": self.kernel_hashes,
        }


@element("launchSecurity")
class SevSnp:
    """The same with Secure Nested Paging: the host cannot change the memory either."""

    type: str = attr(one_of("sev-snp"))
    kernel_hashes: bool | None = opt(YES_NO, "kernelHashes")
    author_key: bool | None = opt(YES_NO, "authorKey")
    vcek: bool | None = opt(YES_NO)
    cbitpos: int | None = opt_leaf(UINT)
    reduced_bits: int | None = opt_leaf(UINT, "reducedPhysBits")
    policy: int = leaf(hexadecimal(8, _LONG))
    workarounds: str | None = opt_leaf(TEXT, "guestVisibleWorkarounds")
    id_block: str | None = opt_leaf(TEXT, "idBlock")
    id_auth: str | None = opt_leaf(TEXT, "idAuth")
    host_data: str | None = opt_leaf(TEXT, "hostData")

    def properties(self, launch: LaunchContext) -> Props:
        """The object's type and properties."""
        return {
            "qom-type": "sev-snp-guest",
            **_bits(self, launch),
            "kernel-hashes": self.kernel_hashes,
            "policy": self.policy,
            "guest-visible-workarounds": self.workarounds,
            "id-block": self.id_block,
            "id-auth": self.id_auth,
            "host-data": self.host_data,
            "author-key-enabled": self.author_key,
            "vcek-disabled": None if self.vcek is None else not self.vcek,
        }


@element("launchSecurity")
class ProtectedVirtualization:
    """IBM's Secure Execution on s390x."""

    type: str = attr(one_of("s390-pv"))

    def properties(self, _launch: LaunchContext) -> Props:
        """The object's type."""
        return {"qom-type": "s390-pv-guest"}


LaunchSecurity: TypeAlias = Sev | SevSnp | ProtectedVirtualization


def security_arguments(security: LaunchSecurity | None, launch: LaunchContext) -> list[str]:
    """The object that the machine's property `confidential-guest-support` names."""
    if security is None:
        return []
    properties = security.properties(launch)
    return Object(without_none({"qom-type": properties.pop("qom-type"), "id": ID, **properties})).arguments()


def files(security: LaunchSecurity | None) -> dict[str, str]:
    """What stands in the guest's own directory for QEMU to read: file name to text."""
    if not isinstance(security, Sev):
        return {}
    given = {_CERTIFICATE: security.certificate, _SESSION: security.session}
    return {name: text for name, text in given.items() if text is not None}


def check(security: LaunchSecurity | None, objects: frozenset[str]) -> None:
    """Refuse what this QEMU, whose object types are `objects`, does not have. Raises `UnsupportedConfigError`."""
    if security is None:
        return
    kind = _OBJECTS[security.type]
    if kind not in objects:
        raise UnsupportedConfigError(
            f"{security.type.upper()} launch security is not supported with this QEMU binary",
            hint=f"it has no object '{kind}'",
        )


_OBJECTS: Final = {"sev": "sev-guest", "sev-snp": "sev-snp-guest", "s390-pv": "s390-pv-guest"}


def _bits(security: Sev | SevSnp, launch: LaunchContext) -> Props:
    found = launch.caps.sev_bits
    cbitpos = found[0] if security.cbitpos is None and found else security.cbitpos
    reduced = found[1] if security.reduced_bits is None and found else security.reduced_bits
    if cbitpos is None or reduced is None:
        raise UnsupportedConfigError(
            "the host's SEV platform is unknown", hint="name <cbitpos> and <reducedPhysBits>, as `cpuid` shows them"
        )
    return {"cbitpos": cbitpos, "reduced-phys-bits": reduced}
