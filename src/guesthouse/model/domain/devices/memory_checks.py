"""What a memory device needs, by its model.

Source: https://libvirt.org/formatdomain.html#memory-devices.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from guesthouse.errors import Code, LibvirtError, Origin, UnsupportedConfigError
from guesthouse.model.domain.devices.address import CcwAddress
from guesthouse.model.domain.memory_objects import DIMM, NVDIMM, SGX_EPC, VIRTIO_MEM, VIRTIO_PMEM

if TYPE_CHECKING:
    from guesthouse.model.domain.devices.base import DeviceContext
    from guesthouse.model.domain.devices.memory import MemoryDevice

#: The smallest block that virtio-mem gives out, in KiB, and a page, in bytes.
_BLOCK: Final = 2048
_PAGE: Final = 4096


def memory_error(text: str) -> LibvirtError:
    """An error that libvirt tells without a phrase in front."""
    return LibvirtError(text, code=Code.XML_DETAIL, domain=Origin.DOMAIN)


def _check_dimm(device: MemoryDevice, ctx: DeviceContext) -> None:
    """QEMU must have modules at all."""
    if not ctx.qemu.has_device("pc-dimm"):
        raise UnsupportedConfigError("memory hotplug isn't supported by this QEMU binary")


def _check_nvdimm(device: MemoryDevice, ctx: DeviceContext) -> None:
    """A persistent module lies in a file, whose contents stay."""
    if device.source is None or device.source.path is None:
        raise memory_error("path is required for model 'nvdimm'")
    if device.discard:
        raise UnsupportedConfigError("discard is not supported for nvdimms")
    if device.uuid is not None:
        raise UnsupportedConfigError("UUID is not supported for NVDIMM device", hint="only ppc64 guests have one")
    if not ctx.qemu.has_device("nvdimm"):
        raise UnsupportedConfigError("nvdimm isn't supported by this QEMU binary")
    if device.source.pmem and not ctx.qemu.has_object_property("memory-backend-file", "pmem"):
        raise UnsupportedConfigError("nvdimm pmem property is not available with this QEMU binary")


def _check_virtio_pmem(device: MemoryDevice, ctx: DeviceContext) -> None:
    """It lies in a file, which it shares."""
    if device.source is None or device.source.path is None:
        raise memory_error(f"path is required for model '{device.model}'")
    if device.discard:
        raise UnsupportedConfigError(f"discard is not supported for model '{device.model}'")
    if device.access != "shared":
        raise UnsupportedConfigError("shared access mode required for virtio-pmem device")
    if device.target.node is not None:
        raise UnsupportedConfigError("virtio-pmem does not support NUMA nodes")
    if device.base % _PAGE:
        raise UnsupportedConfigError(f"memory address must be aligned to {_PAGE} bytes")
    if not ctx.qemu.has_device("virtio-pmem-pci"):
        raise UnsupportedConfigError("virtio-pmem isn't supported by this QEMU binary")


def _check_virtio_mem(device: MemoryDevice, ctx: DeviceContext) -> None:
    """It is given out in blocks."""
    check_blocks(device)
    if not ctx.qemu.has_device("virtio-mem-ccw" if isinstance(device.address, CcwAddress) else "virtio-mem-pci"):
        raise UnsupportedConfigError("virtio-mem isn't supported by this QEMU binary")
    if isinstance(device.address, CcwAddress) and device.target.node:
        raise UnsupportedConfigError("NUMA nodes are not supported for virtio-mem-ccw")
    if device.target.dynamic_memslots and not ctx.qemu.has_property("virtio-mem-pci", "dynamic-memslots"):
        raise UnsupportedConfigError("virtio-mem does not support dynamicMemslots")


def check_blocks(device: MemoryDevice) -> None:
    """Raise a `LibvirtError` for a virtio-mem device that cannot be given out in its blocks."""
    block = device.target.block.kib if device.target.block is not None else 0
    if device.requested_kib > device.kib:
        raise memory_error(f"requested size must be smaller than or equal to @size ({device.kib}KiB)")
    if block & (block - 1):
        raise memory_error("block size must be a power of two")
    if block < _BLOCK:
        raise memory_error(f"block size too small, must be at least {_BLOCK}KiB")
    if device.requested_kib % block:
        raise memory_error("requested size must be an integer multiple of block size")
    if device.base % (block * 1024):
        raise memory_error("memory device address must be aligned to blocksize")


def _check_sgx_epc(device: MemoryDevice, ctx: DeviceContext) -> None:
    """QEMU must have enclaves; the host's processor must, too, which shows at the start."""
    if not ctx.qemu.has_object("memory-backend-epc"):
        raise UnsupportedConfigError("sgx epc isn't supported by this QEMU binary")


#: Model to its check.
CHECKS: Final[dict[str, Callable[[MemoryDevice, DeviceContext], None]]] = {
    DIMM: _check_dimm,
    NVDIMM: _check_nvdimm,
    VIRTIO_PMEM: _check_virtio_pmem,
    VIRTIO_MEM: _check_virtio_mem,
    SGX_EPC: _check_sgx_epc,
}
