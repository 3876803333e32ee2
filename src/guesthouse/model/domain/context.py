"""What a guest's devices are told about the guest, QEMU and the host."""

from __future__ import annotations

from guesthouse.model.domain.boot_order import boot_indexes
from guesthouse.model.domain.defaults import Defaults
from guesthouse.model.domain.definition import Domain
from guesthouse.model.domain.devices.base import DeviceContext
from guesthouse.model.domain.guest_memory import guest_memory, memory_at_launch
from guesthouse.model.domain.iothreads import iothreads_of
from guesthouse.model.domain.launch import LaunchContext
from guesthouse.model.qemu_capabilities import KVM, TCG, QemuCapabilities


def definition_context(domain: Domain, qemu: QemuCapabilities, defaults: Defaults) -> DeviceContext:
    """The context in which a definition is completed and checked."""
    memory = guest_memory(domain, defaults.settings)
    return DeviceContext(
        qemu,
        arch=domain.os.arch,
        machine=domain.os.machine,
        accel=KVM if domain.type == "kvm" else TCG,
        acpi=domain.features is not None and domain.features.acpi,
        controllers=domain.devices.controller_table(),
        channel_dir=defaults.channel_dir,
        vnc_listen=defaults.vnc_listen,
        settings=defaults.settings,
        iothreads=_iothreads(domain),
        throttle_groups=_throttle_groups(domain),
        memory=memory,
        shared_memory=memory.shared,
        guest_name=domain.name,
        guest_uuid=domain.uuid,
        parts=defaults.parts,
        audio_ids=_audio_ids(domain),
        redirection_filter=domain.devices.redirection_filter(),
    )


def follow(ctx: DeviceContext, domain: Domain) -> None:
    """Bring the context up to date after devices were added to the definition that it is about."""
    ctx.acpi = domain.features is not None and domain.features.acpi
    ctx.controllers = domain.devices.controller_table()
    ctx.audio_ids = _audio_ids(domain)
    ctx.redirection_filter = domain.devices.redirection_filter()


def launch_context(domain: Domain, launch: LaunchContext) -> DeviceContext:
    """The context in which a guest is started, or a device is plugged into it. Aliases must be assigned."""
    memory = memory_at_launch(domain, launch)
    return DeviceContext(
        launch.caps,
        arch=domain.os.arch,
        machine=domain.os.machine,
        accel=launch.accel,
        acpi=domain.features is not None and domain.features.acpi,
        controllers=domain.devices.controller_table(),
        boot=boot_indexes(domain),
        guest_dir=launch.guest_dir,
        channel_dir=launch.channel_dir,
        passt_dir=launch.passt_dir,
        short_name=launch.short_name,
        vnc_listen=launch.vnc_listen,
        settings=launch.settings,
        iothreads=_iothreads(domain),
        memory=memory,
        shared_memory=memory.shared,
        guest_name=domain.name,
        guest_uuid=domain.uuid,
        parts=launch.parts,
        listen=launch.listen,
        connect=launch.connect,
        open_file=launch.open_file,
        rendernode=launch.rendernode,
        network_address=launch.network_address,
        secret=launch.secret,
        seal=launch.seal,
        volume=launch.volume,
        handed=launch.handed,
        throttle_groups=_throttle_groups(domain),
        tap_ends=launch.tap_ends,
        run_as=launch.run_as,
        audio_ids=_audio_ids(domain),
        redirection_filter=domain.devices.redirection_filter(),
    )


def _throttle_groups(domain: Domain) -> frozenset[str]:
    return domain.throttle_groups.names if domain.throttle_groups is not None else frozenset()


def _iothreads(domain: Domain) -> frozenset[int]:
    return frozenset(thread.id for thread in iothreads_of(domain))


def _audio_ids(domain: Domain) -> tuple[int, ...]:
    return tuple(audio.id for audio in domain.devices.audios)
