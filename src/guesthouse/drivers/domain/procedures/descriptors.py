"""The procedure by which a client hands over open files for a guest's disks."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from guesthouse.drivers import flags
from guesthouse.drivers.api import Caller, Handler, write
from guesthouse.drivers.domain.disks import descriptors as disk_descriptors
from guesthouse.drivers.domain.procedures.wire import find
from guesthouse.rpc.procedure import Procedure
from guesthouse.rpc.procedures import domain_devices as rpc

if TYPE_CHECKING:
    from guesthouse.drivers.domain.guests import Guests

_KNOWN = disk_descriptors.SECLABEL_RESTORE | disk_descriptors.SECLABEL_WRITABLE


def _associate(driver: Guests, caller: Caller, args: rpc.DomainFdAssociateArgs) -> None:
    descriptors = caller.take_fds()
    try:
        flags.check(args.flags, _KNOWN, "qemuDomainFDAssociate")
        disk_descriptors.associate(driver, find(driver, args.dom), caller, args.name, descriptors, args.flags)
    except Exception:
        for descriptor in descriptors:
            os.close(descriptor)
        raise


TABLE: dict[Procedure, Handler[Guests]] = {rpc.DOMAIN_FD_ASSOCIATE: write(_associate)}
