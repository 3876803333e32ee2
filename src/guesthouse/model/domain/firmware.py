"""A guest's firmware: chosen from the host's descriptors, and written down so that the choice stays.

Format: https://libvirt.org/formatdomain.html#guest-firmware; descriptors: QEMU's `docs/interop/firmware.json`.

- `<os firmware='…'>` asks for a choice. A loader that is named by hand is looked up among the descriptors: what they
  know of it is written down as if it had been chosen.
- Before descriptors there was a list of programs and templates of variables; guests of that time still name them.
- Definitions that were kept mean raw images where they name no format: there was no other.
"""

from __future__ import annotations

from typing import Final

from guesthouse.errors import Code, LibvirtError, Origin, UnsupportedConfigError
from guesthouse.model.binding import new
from guesthouse.model.domain.defaults import Defaults, FirmwareImage, FirmwareWish
from guesthouse.model.domain.definition import Domain
from guesthouse.model.domain.features import Features, Smm
from guesthouse.model.domain.launch_security import Sev, SevSnp
from guesthouse.model.domain.os import FirmwareFeature, FirmwareFeatures, Loader, Nvram, Os

#: Programs and templates of variables of the time before descriptors, as libvirt is built to know them.
_LEGACY: Final = {
    "/usr/share/OVMF/OVMF_CODE.fd": "/usr/share/OVMF/OVMF_VARS.fd",
    "/usr/share/OVMF/OVMF_CODE.secboot.fd": "/usr/share/OVMF/OVMF_VARS.fd",
    "/usr/share/AAVMF/AAVMF_CODE.fd": "/usr/share/AAVMF/AAVMF_VARS.fd",
    "/usr/share/AAVMF/AAVMF32_CODE.fd": "/usr/share/AAVMF/AAVMF32_VARS.fd",
}
_SUFFIXES: Final = {"raw": ".fd", "qcow2": ".qcow2"}
#: The bit of a policy of AMD's that asks for encrypted registers too.
_ENCRYPTED_STATE: Final = 0x04


def fill(domain: Domain, defaults: Defaults, *, kept: bool = False) -> None:
    """Choose the firmware where the definition asks for it, and give its variables a file.

    `kept` definitions were completed before. Raises `LibvirtError` (operation failed) where no descriptor of the host
    fits, and with code 107 or as `UnsupportedConfigError` for settings that contradict each other.
    """
    boot = domain.os
    _settle(boot, kept=kept)
    _check(boot)
    if boot.firmware is None and (boot.loader is None or boot.loader.type == "rom"):
        if boot.loader is not None:
            boot.loader.format = boot.loader.format or "raw"
        return
    image = defaults.choose_firmware(_wish(domain))
    if image is not None:
        _apply(domain, image)
    elif boot.firmware is None and boot.loader is not None:
        _recall(boot, boot.loader)
    elif not _was_chosen(boot):
        raise LibvirtError(
            f"Unable to find '{boot.firmware}' firmware that is compatible with the current configuration",
            code=Code.OPERATION_FAILED,
            domain=Origin.QEMU,
            hint="install a firmware package such as ovmf, or loosen what <firmware> asks for",
        )
    _ensure_variables(domain, defaults, kept=kept)


def _was_chosen(boot: Os) -> bool:
    """Whether the definition tells all of a choice that was made once: it stays while the host lacks the firmware."""
    loader = boot.loader
    if loader is None or not loader.path or loader.type is None:
        return False
    if loader.type == "rom" or loader.stateless:
        return True
    return bool(loader.readonly and boot.nvram is not None and (boot.nvram.path or not boot.nvram.local))


def _settle(boot: Os, *, kept: bool) -> None:
    loader = boot.loader
    if loader is not None and loader.path and loader.type is None and boot.firmware is None:
        loader.type = "rom"
    if loader is None and boot.nvram is not None and boot.nvram.format is not None:
        boot.loader = loader = new(Loader, format=boot.nvram.format)
    if kept and boot.firmware is None:
        boot.firmware_features = None  # which libvirt 8.6 to 9.1 left behind when it forgot the rest
    elif kept:
        boot.loader = loader = loader or new(Loader)
        loader.format = loader.format or "raw"


def _check(boot: Os) -> None:
    wanted = boot.firmware_features.wanted() if boot.firmware_features is not None else {}
    loader, nvram = boot.loader, boot.nvram
    if boot.firmware is None:
        if boot.firmware_features is not None:
            raise _wrong("cannot use feature-based firmware autoselection when firmware autoselection is disabled")
        if (loader is not None and loader.path is None) or (loader is None and nvram is not None):
            raise _wrong("no loader path specified and firmware auto selection disabled")
    elif wanted.get("enrolled-keys") and wanted.get("secure-boot") is False:
        raise _wrong(
            "firmware feature 'enrolled-keys' cannot be enabled when firmware feature 'secure-boot' is disabled"
        )
    elif nvram is not None and boot.firmware != "efi":
        raise _wrong(f"firmware type '{boot.firmware}' does not support nvram")
    if loader is not None:
        _check_loader(boot, loader, nvram)
    if boot.shim is not None and boot.kernel is None:
        raise UnsupportedConfigError("shim only allowed with kernel option")


def _check_loader(boot: Os, loader: Loader, nvram: Nvram | None) -> None:
    if loader.stateless and nvram is not None:
        what = "NVRAM template" if nvram.template is not None else "NVRAM"
        raise _wrong(f"{what} is not permitted when loader is stateless")
    if loader.stateless is False:
        if boot.firmware is None and loader.type != "pflash":
            raise _wrong("Only pflash loader type permits NVRAM")
        if boot.firmware not in (None, "efi"):
            raise _wrong("Only EFI firmware permits NVRAM")
    if loader.type == "rom" and (loader.readonly is False or loader.secure or nvram is not None):
        raise UnsupportedConfigError("ROM loader type cannot be used with readonly='no', secure='yes' or NVRAM")
    if loader.readonly is False and (nvram is not None or loader.stateless):
        raise _wrong("NVRAM is not permitted when loader is read-write")


def _wrong(text: str, hint: str = "") -> LibvirtError:
    return LibvirtError(text, code=Code.XML_DETAIL, domain=Origin.DOMAIN, hint=hint)


def _wish(domain: Domain) -> FirmwareWish:
    boot = domain.os
    loader = boot.loader or new(Loader)
    smm = domain.features.smm if domain.features is not None else None
    return FirmwareWish(
        kind=boot.firmware or "",
        arch=boot.arch,
        machine=boot.machine,
        features=boot.firmware_features.wanted() if boot.firmware_features is not None else {},
        needs=_needs(domain),
        secure=loader.secure,
        stateless=loader.stateless,
        loader=loader.path,
        format=loader.format,
        loader_type=loader.type,
        readonly=loader.readonly,
        smm=None if smm is None else smm.state,
        template=boot.nvram.template if boot.nvram is not None else None,
    )


def _needs(domain: Domain) -> frozenset[str]:
    """The features, in the words of descriptors, that a guest cannot do without."""
    needs: set[str] = set()
    if domain.pm is not None:
        needs |= {"acpi-s3"} if domain.pm.suspend_to_mem else set()
        needs |= {"acpi-s4"} if domain.pm.suspend_to_disk else set()
    security = domain.launch_security
    if isinstance(security, Sev):
        needs |= {"amd-sev", "amd-sev-es"} if security.policy & _ENCRYPTED_STATE else {"amd-sev"}
    elif isinstance(security, SevSnp):
        needs.add("amd-sev-snp")
    return frozenset(needs)


def _apply(domain: Domain, image: FirmwareImage) -> None:
    boot = domain.os
    loader = boot.loader = boot.loader or new(Loader)
    loader.path, loader.type = image.path, image.type
    if image.type == "pflash":
        loader.readonly = True
        loader.format = image.format
        if image.template is not None and (boot.nvram is None or boot.nvram.local):
            nvram = boot.nvram = boot.nvram or new(Nvram)
            nvram.template, nvram.template_format = image.template, image.template_format
    if image.smm:
        features = domain.features = domain.features or new(Features)
        if features.smm is None:
            features.smm = new(Smm)
        loader.secure = True
    boot.firmware = boot.firmware or image.kind
    known = dict(image.features)
    template = boot.nvram.template if boot.nvram is not None else None
    if loader.type == "pflash" and not loader.stateless and template is None:
        known.pop("enrolled-keys", None)  # nobody knows what the variables hold, where they are on a server
    rows = [new(FirmwareFeature, enabled=enabled, name=name) for name, enabled in sorted(known.items())]
    boot.firmware_features = new(FirmwareFeatures, features=rows)


def _recall(boot: Os, loader: Loader) -> None:
    """A loader that no descriptor knows: one of the old list, or a file of the user's own."""
    template = _LEGACY.get(loader.path or "")
    if template is None or loader.readonly is False or loader.stateless or loader.format not in (None, "raw"):
        loader.format = loader.format or "raw"
        return
    loader.readonly, loader.format = True, "raw"
    nvram = boot.nvram = boot.nvram or new(Nvram)
    nvram.template = nvram.template or template
    nvram.template_format = nvram.template_format or "raw"


def _ensure_variables(domain: Domain, defaults: Defaults, *, kept: bool) -> None:
    """Name the file of the guest's variables, where there are any and it has no name yet."""
    boot = domain.os
    loader, nvram = boot.loader, boot.nvram
    if loader is None or loader.type != "pflash" or not loader.readonly or loader.stateless:
        return
    if nvram is not None:
        nvram.format = nvram.format or loader.format
        if nvram.path is not None or not nvram.local:
            return
    nvram = boot.nvram = nvram or new(Nvram)
    nvram.type = nvram.source = None
    nvram.format = nvram.template_format or loader.format or "raw"
    suffix = _SUFFIXES[nvram.format]
    if not kept and nvram.template is not None and nvram.template.endswith(".raw"):
        suffix = ".raw"
    nvram.text = str(defaults.nvram / f"{domain.name}_VARS{suffix}")
