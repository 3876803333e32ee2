"""The machine on QEMU's command line: type, accelerator, firmware, memory, power, boot.

Options: QEMU's manual page; machine properties: `qemu-system-x86_64 -machine TYPE,help`.
"""

from __future__ import annotations

from guesthouse.model.domain import launch_security
from guesthouse.model.domain.cpu_arguments import on_off
from guesthouse.model.domain.definition import Domain
from guesthouse.model.domain.devices.sound import speaker_words
from guesthouse.model.domain.launch import LaunchContext
from guesthouse.model.domain.machine_features import accelerator_words, machine_words
from guesthouse.model.domain.machines import family_of
from guesthouse.model.domain.memory_arguments import hmat_words, machine_memory_words
from guesthouse.model.qemu_objects import Blockdev, Props


def machine_arguments(domain: Domain, launch: LaunchContext) -> list[str]:
    """`-machine` and `-accel`."""
    facts = launch.caps.machine(domain.os.machine)
    words = [domain.os.machine, "usb=off"]
    words += domain.keywrap.machine_words() if domain.keywrap is not None else []
    features = domain.features
    words += machine_words(features, launch)
    words += machine_memory_words(domain, launch)
    if domain.launch_security is not None:
        words.append(f"confidential-guest-support={launch_security.ID}")
    if _flash(domain):
        words.append("pflash0=libvirt-pflash0-format")
        if domain.os.nvram is not None:
            words.append(f"pflash1={_nvram_nodes(domain)[-1].node}")
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


def _flash(domain: Domain) -> bool:
    loader = domain.os.loader
    return loader is not None and loader.type == "pflash" and loader.path is not None


def flash_arguments(domain: Domain) -> list[str]:
    """The block devices of firmware that is mapped as flash."""
    loader = domain.os.loader
    if loader is None or not _flash(domain):
        return []
    nodes = _file_nodes("libvirt-pflash0", loader.path or "", loader.format or "raw", read_only=bool(loader.readonly))
    if domain.os.nvram is not None:
        nodes += _nvram_nodes(domain)
    return [word for node in nodes for word in node.arguments()]


def _file_nodes(name: str, path: str, image_format: str, *, read_only: bool) -> list[Blockdev]:
    storage: Props = {
        "driver": "file",
        "filename": path,
        "node-name": f"{name}-storage",
        "auto-read-only": True,
        "discard": "unmap",
    }
    layer: Props = {
        "node-name": f"{name}-format",
        "read-only": read_only,
        "driver": image_format,
        "file": f"{name}-storage",
    }
    if image_format == "qcow2":
        layer["backing"] = None
    return [Blockdev(storage), Blockdev(layer)]


def _nvram_nodes(domain: Domain) -> list[Blockdev]:
    nvram = domain.os.nvram
    path, image_format = ("", "raw") if nvram is None else (nvram.path or "", nvram.format or "raw")
    if image_format == "raw":
        storage: Props = {
            "driver": "file",
            "filename": path,
            "node-name": "libvirt-pflash1-storage",
            "read-only": False,
        }
        return [Blockdev(storage)]
    return _file_nodes("libvirt-pflash1", path, image_format, read_only=False)


def firmware_arguments(domain: Domain) -> list[str]:
    """What a firmware needs besides its flash: `-bios`, the protection of its variables, and its own memory."""
    words: list[str] = []
    loader = domain.os.loader
    if loader is not None and loader.type == "rom" and loader.path:
        words += ["-bios", loader.path]
    elif loader is not None and loader.secure and _flash(domain):
        words += ["-global", "driver=cfi.pflash01,property=secure,value=on"]
    return words


def power_arguments(domain: Domain) -> list[str]:
    """What happens at shutdown, and which sleep states ACPI offers."""
    words = ["-no-shutdown"]
    if domain.pm is not None:
        device = family_of(domain.os.arch, domain.os.machine).power
        for state, enabled in (("s3", domain.pm.suspend_to_mem), ("s4", domain.pm.suspend_to_disk)):
            if enabled is not None:
                words += ["-global", f"{device}.disable_{state}={int(not enabled)}"]
    return words


def boot_arguments(domain: Domain) -> list[str]:
    """`-boot`, and the kernel that is booted without firmware's help."""
    boot = domain.os
    parts: list[str] = []
    if boot.bootmenu is not None and boot.bootmenu.enable is not None:
        parts.append(f"menu={on_off(boot.bootmenu.enable)}")
    if boot.bios is not None and boot.bios.reboot_timeout is not None:
        parts.append(f"reboot-timeout={boot.bios.reboot_timeout}")
    if boot.bootmenu is not None and boot.bootmenu.timeout is not None:
        parts.append(f"splash-time={boot.bootmenu.timeout}")
    words = ["-boot", ",".join([*parts, "strict=on"])]
    for option, value in (("-kernel", boot.kernel), ("-initrd", boot.initrd), ("-append", boot.cmdline)):
        if value:
            words += [option, value]
    return words
