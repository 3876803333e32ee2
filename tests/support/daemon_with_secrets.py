"""Runs guesthoused with one fixed secret: `python daemon_with_secrets.py guesthoused OPTION...` (see `Daemon.prefix`).

Its UUID is `UUID`, its value `VALUE`.
"""

from __future__ import annotations

import sys

from guesthouse.drivers.api import DaemonSettings
from guesthouse.drivers.domain import driver as domain_driver
from guesthouse.model.domain.secrets import SecretReference, no_secret
from guesthouse.places import Places
from guesthouse.server.daemon import DRIVERS
from guesthouse.server.main import main

UUID = "5f0f8d5e-2d5c-4c1c-9b2a-8d9f0e6f7a11"
VALUE = b"open sesame, please"


def _find(usage_type: str, reference: SecretReference) -> bytes:
    return VALUE if reference.uuid == UUID and usage_type in ("volume", "vtpm") else no_secret(usage_type, reference)


def _create(places: Places, daemon: DaemonSettings | None = None) -> domain_driver.DomainDriver:
    made = domain_driver.create(places, daemon)
    made.secret = _find
    return made


if __name__ == "__main__":
    sys.exit(main(sys.argv[2:], [_create if maker is domain_driver.create else maker for maker in DRIVERS]))
