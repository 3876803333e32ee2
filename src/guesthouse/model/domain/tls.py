"""QEMU's credentials for TLS: the object that names certificates, and the secret that unlocks their key.

Source: https://libvirt.org/kbase/tlscerts.html, QEMU's `docs/system/tls.rst`.
"""

from __future__ import annotations

from guesthouse.model.binding import new
from guesthouse.model.domain.devices.base import DeviceContext
from guesthouse.model.domain.secrets import SecretReference, secret_object
from guesthouse.model.qemu_objects import Object, QemuObject, without_none


def server_credentials(
    id_: str, directory: str, ctx: DeviceContext, *, verify: bool, secret: str | None, secret_id: str
) -> list[QemuObject]:
    """Credentials named `id_` for who listens: the certificates in `directory`.

    With `verify` a client must show a certificate too. `secret` is the UUID of the secret that unlocks the private key,
    which becomes the object `secret_id`. Raises `NoSecretError` where it is not there.
    """
    return _credentials("server", id_, directory, ctx, verify=verify, secret=secret, secret_id=secret_id)


def client_credentials(
    id_: str, directory: str, ctx: DeviceContext, *, secret: str | None, secret_id: str
) -> list[QemuObject]:
    """As `server_credentials`, for who connects; the server is always verified."""
    return _credentials("client", id_, directory, ctx, verify=True, secret=secret, secret_id=secret_id)


def _credentials(
    endpoint: str, id_: str, directory: str, ctx: DeviceContext, *, verify: bool, secret: str | None, secret_id: str
) -> list[QemuObject]:
    made: list[QemuObject] = []
    if secret is not None:
        made.append(secret_object(secret_id, ctx.secret("tls", new(SecretReference, uuid=secret)), ctx.seal))
    made.append(
        Object(
            without_none(
                {
                    "qom-type": "tls-creds-x509",
                    "id": id_,
                    "dir": directory,
                    "endpoint": endpoint,
                    "verify-peer": verify,
                    "passwordid": secret_id if secret is not None else None,
                }
            )
        )
    )
    return made
