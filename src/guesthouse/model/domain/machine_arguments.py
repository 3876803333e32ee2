"""The machine on QEMU's command line: type, accelerator, properties, power.

Options: QEMU's manual page; machine properties: `qemu-system-x86_64 -machine TYPE,help`.
"""

from __future__ import annotations

from guesthouse.model.domain import launch_security
from guesthouse.model.domain.cpu_arguments import on_off
from guesthouse.model.domain.definition import Domain
from guesthouse.model.domain.devices.sound import speaker_words
from guesthouse.model.domain.firmware_arguments import flash_words
from guesthouse.model.domain.launch import LaunchContext
from guesthouse.model.domain.machine_features import accelerator_words, machine_words
from guesthouse.model.domain.machines import family_of
from guesthouse.model.domain.memory_arguments import hmat_words, machine_memory_words


def machine_arguments(domain: Domain, launch: LaunchContext) -> list[str]:
    """`-machine` and `-accel`."""
    facts = launch.caps.machine(domain.os.machine)
    words = [domain.os.machine, "usb=off"]
    words += domain.keywrap.machine_words() if domain.keywrap is not None else []
    features = domain.features
    words += machine_words(features, launch)
    words += domain.devices.iommu.machine_words() if domain.devices.iommu is not None else []
    words += machine_memory_words(domain, launch)
    if domain.launch_security is not None:
        words.append(f"confidential-guest-support={launch_security.ID}")
    words += flash_words(domain.os)
    if domain.os.bios is not None and domain.os.bios.use_serial:
        words.append("graphics=off")
    words += hmat_words(domain)
    words += speaker_words(domain.devices.sounds, domain.devices.audio_ids())
    hpet = domain.clock.timer("hpet")
    if hpet is not None and hpet.present is not None:
        words.append(f"hpet={on_off(hpet.present)}")
    if facts is None or facts.acpi:
        words.append(f"acpi={on_off(features is not None and features.acpi)}")
    accelerator = ",".join([launch.accel, *accelerator_words(features, launch.accel)])
    return ["-machine", ",".join(words), "-accel", accelerator]


def power_arguments(domain: Domain) -> list[str]:
    """What happens at shutdown, and which sleep states ACPI offers."""
    words = ["-no-shutdown"]
    if domain.pm is not None:
        device = family_of(domain.os.arch, domain.os.machine).power
        for state, enabled in (("s3", domain.pm.suspend_to_mem), ("s4", domain.pm.suspend_to_disk)):
            if enabled is not None:
                words += ["-global", f"{device}.disable_{state}={int(not enabled)}"]
    return words
