"""A guest's firmware: chosen from the host's descriptors, and written down so that the choice stays.

Format: https://libvirt.org/formatdomain.html#guest-firmware; descriptors: QEMU's `docs/interop/firmware.json`.
"""

from __future__ import annotations

from guesthouse.errors import Code, LibvirtError, Origin, UnsupportedConfigError
from guesthouse.model.binding import new
from guesthouse.model.domain.defaults import Defaults, FirmwareImage, FirmwareWish
from guesthouse.model.domain.definition import Domain
from guesthouse.model.domain.features import Features, Smm
from guesthouse.model.domain.os import FirmwareFeature, FirmwareFeatures, Loader, Nvram, Os


def fill(domain: Domain, defaults: Defaults) -> None:
    """Choose the firmware where the definition asks for it, and give its variables a file.

    Raises `LibvirtError` (operation failed) where no descriptor of the host fits, and `UnsupportedConfigError` for
    settings that contradict each other.
    """
    loader = domain.os.loader
    if loader is not None and loader.path and loader.type is None and domain.os.firmware != "efi":
        loader.type = "rom"
    _check(domain)
    if domain.os.firmware is not None:
        writable = loader is not None and loader.readonly is False
        image = None if writable else defaults.choose_firmware(_wish(domain, domain.os.firmware))
        if image is None:
            # A choice that was made once stays, also while the host lacks the firmware.
            if not writable and loader is not None and loader.path:
                return
            raise LibvirtError(
                f"Unable to find '{domain.os.firmware}' firmware that is compatible with the current configuration",
                code=Code.OPERATION_FAILED,
                domain=Origin.QEMU,
                hint="install a firmware package such as ovmf, or loosen what <firmware> asks for",
            )
        _apply(domain, image, defaults)
    elif loader is not None and loader.path:
        _recognise(domain, loader, defaults)


def _check(domain: Domain) -> None:
    boot = domain.os
    wanted = boot.firmware_features.wanted() if boot.firmware_features is not None else {}
    if boot.firmware is None:
        _check_by_hand(boot)
    elif wanted.get("enrolled-keys") and wanted.get("secure-boot") is False:
        raise _wrong(
            "firmware feature 'enrolled-keys' cannot be enabled when firmware feature 'secure-boot' is disabled"
        )
    elif boot.nvram is not None and boot.firmware != "efi":
        raise _wrong(f"firmware type '{boot.firmware}' does not support nvram")
    loader = boot.loader
    if loader is None:
        return
    if loader.type == "rom" and (loader.readonly is False or loader.secure or boot.nvram is not None):
        raise UnsupportedConfigError("ROM loader type cannot be used with readonly='no', secure='yes' or NVRAM")
    if loader.stateless and boot.nvram is not None:
        raise _wrong("NVRAM is not permitted when loader is stateless")
    if loader.readonly is False and (boot.nvram is not None or loader.stateless):
        raise _wrong("NVRAM is not permitted when loader is read-write")


def _check_by_hand(boot: Os) -> None:
    if boot.firmware_features is not None:
        raise _wrong("cannot use feature-based firmware autoselection when firmware autoselection is disabled")
    if boot.loader is not None and boot.loader.path is None:
        raise _wrong("no loader path specified and firmware auto selection disabled")
    if boot.nvram is not None and boot.loader is None:
        raise _wrong("NVRAM is only there with a loader", hint="set firmware='efi' on <os>")


def _wrong(text: str, hint: str = "") -> LibvirtError:
    return LibvirtError(text, code=Code.XML_DETAIL, domain=Origin.DOMAIN, hint=hint)


def _wish(domain: Domain, kind: str) -> FirmwareWish:
    boot = domain.os
    loader = boot.loader or new(Loader)
    wanted = boot.firmware_features.wanted() if boot.firmware_features is not None else {}
    return FirmwareWish(
        kind=kind,
        arch=boot.arch,
        machine=boot.machine,
        features=wanted,
        secure=loader.secure,
        stateless=loader.stateless,
        loader=loader.path,
        format=loader.format,
        loader_type=loader.type,
        smm=_smm(domain),
        template=boot.nvram.template if boot.nvram is not None else None,
        nvram_format=boot.nvram.format if boot.nvram is not None else None,
    )


def _smm(domain: Domain) -> bool | None:
    features = domain.features
    return None if features is None or features.smm is None else features.smm.state


def _apply(domain: Domain, image: FirmwareImage, defaults: Defaults) -> None:
    boot = domain.os
    loader = boot.loader or new(Loader)
    boot.loader = loader
    loader.path, loader.format, loader.type = image.path, image.format, image.type
    if image.type == "pflash":
        loader.readonly = True if loader.readonly is None else loader.readonly
    if image.smm:
        features = domain.features or new(Features)
        features.smm = features.smm or new(Smm)
        domain.features = features
        loader.secure = True
    if image.stateless:
        loader.stateless = True
    if image.features:
        rows = [new(FirmwareFeature, enabled=enabled, name=name) for name, enabled in sorted(image.features.items())]
        boot.firmware_features = new(FirmwareFeatures, features=rows)
    if image.template is not None and not loader.stateless:
        _give_variables(domain, image.template, image.template_format, defaults)


def _give_variables(domain: Domain, template: str, template_format: str | None, defaults: Defaults) -> None:
    """Give the variables a file and say what it is made from; what the definition says itself stays."""
    nvram = domain.os.nvram or new(Nvram)
    domain.os.nvram = nvram
    nvram.template = nvram.template or template
    nvram.template_format = nvram.template_format or template_format
    loader = domain.os.loader
    nvram.format = nvram.format or nvram.template_format or (loader.format if loader is not None else None) or "raw"
    if nvram.path is None:
        suffix = "qcow2" if nvram.format == "qcow2" else "fd"
        nvram.path = str(defaults.nvram / f"{domain.name}_VARS.{suffix}")


def _recognise(domain: Domain, loader: Loader, defaults: Defaults) -> None:
    """A loader that is named by hand: if a descriptor knows it, the definition says so as libvirt does."""
    loader.format = loader.format or "raw"
    if loader.type != "pflash":
        return
    loader.readonly = True if loader.readonly is None and domain.os.nvram is not None else loader.readonly
    nvram = domain.os.nvram
    if loader.readonly is False or loader.stateless:
        return
    image = defaults.choose_firmware(_wish(domain, "efi"))
    if image is not None:
        domain.os.firmware = "efi"
        _apply(domain, image, defaults)
    elif nvram is not None:
        if nvram.template is not None:
            _give_variables(domain, nvram.template, None, defaults)
        nvram.format = nvram.format or loader.format
    elif loader.readonly:
        raise LibvirtError(
            "Unable to find 'efi' firmware that is compatible with the current configuration: no template of "
            f"variables is known for loader '{loader.path}'",
            code=Code.OPERATION_FAILED,
            domain=Origin.QEMU,
            hint="add <nvram template='…'/>",
        )
