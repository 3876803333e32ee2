"""What a run's devices are told about the host: the same when the guest starts and when a device is plugged in."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from guesthouse.drivers.connect.processors import read_processor
from guesthouse.drivers.domain.disks import descriptors
from guesthouse.drivers.domain.displays import places
from guesthouse.drivers.domain.host_devices import parts
from guesthouse.drivers.domain.interfaces.plug import of_running
from guesthouse.drivers.domain.lifecycle import secrets
from guesthouse.drivers.domain.memory import places as memory_places
from guesthouse.drivers.domain.run import Run
from guesthouse.host.sysfs import HostTree
from guesthouse.model.domain.launch import LaunchContext
from guesthouse.model.qemu_capabilities import QemuCapabilities

if TYPE_CHECKING:
    from guesthouse.drivers.domain.guests import Guests


def of_run(driver: Guests, run: Run, caps: QemuCapabilities) -> LaunchContext:
    """The surroundings of a run whose QEMU is, or will be, one with these capabilities."""
    settings, host_memory = memory_places.surroundings(driver, run)
    return LaunchContext(
        caps=caps,
        guest_dir=str(run.where.private),
        channel_dir=str(run.where.channels),
        passt_dir=str(run.where.private),
        short_name=run.where.private.name.removeprefix("domain-"),
        accel="kvm" if run.live.type == "kvm" else "tcg",
        host_arch=driver.settings.defaults.host_arch,
        host_features=_host_features,
        vnc_listen=driver.settings.defaults.vnc_listen,
        settings=settings,
        host_memory=host_memory,
        parts=parts.of(driver),
        rendernode=places.rendernode,
        secret=driver.secret,
        volume=driver.volume,
        handed=descriptors.lookup(driver, run.live.uuid),
        seal=secrets.seal_of(run.where),
        tap_ends=of_running(run),
        run_as=(0, os.getegid()) if os.geteuid() == 0 else None,
    )


def _host_features() -> frozenset[str]:
    """What the host's processor has, whether KVM passes it on or not."""
    return read_processor(HostTree())[0].features
