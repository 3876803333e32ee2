"""Measures of storage volumes: making, copying and removing them, and a gibibyte up and down."""

from __future__ import annotations

import os
import shutil
import tempfile
import time
from collections.abc import Callable

import libvirt

_MIB = 1 << 20
_STEP = 256 * 1024
_TRANSFER = 1024 * _MIB
_SOURCE = 16 * _MIB


def _xml(name: str, format_: str, capacity: int, allocation: int = 0) -> str:
    return (
        f"<volume><name>{name}</name><capacity>{capacity}</capacity><allocation>{allocation}</allocation>"
        f"<target><format type='{format_}'/></target></volume>"
    )


class VolumeWork:
    """A pool of files with a source to copy, made by the first measure."""

    connection: libvirt.virConnect

    def __init__(self) -> None:
        super().__init__()
        self._volumes: libvirt.virStoragePool | None = None
        self._place = ""
        self._made: list[libvirt.virStorageVol] = []

    def _pool_of_volumes(self) -> libvirt.virStoragePool:
        if self._volumes is None:
            self._place = tempfile.mkdtemp(prefix="guesthouse-bench-volumes-")
            with open(f"{self._place}/source", "wb") as file:
                for _ in range(_SOURCE // _MIB):
                    file.write(os.urandom(_MIB))
            place = f"<target><path>{self._place}</path></target>"
            self._volumes = self.connection.storagePoolCreateXML(f"<pool type='dir'><name>volumes</name>{place}</pool>")
        return self._volumes

    def _each(self, count: int, work: Callable[[int], libvirt.virStorageVol]) -> list[float]:
        samples = []
        for number in range(count):
            begun = time.perf_counter()
            self._made.append(work(number))
            samples.append(time.perf_counter() - begun)
        return samples

    def vol_create_raw(self, count: int) -> list[float]:
        """Sparse raw volumes."""
        pool = self._pool_of_volumes()
        return self._each(count, lambda number: pool.createXML(_xml(f"raw-{number}", "raw", 1 << 30)))

    def vol_create_qcow2(self, count: int) -> list[float]:
        """Volumes of qcow2."""
        pool = self._pool_of_volumes()
        return self._each(count, lambda number: pool.createXML(_xml(f"qcow2-{number}", "qcow2", 1 << 30)))

    def vol_clone_raw(self, count: int) -> list[float]:
        """Copies of 16 MiB of data."""
        pool = self._pool_of_volumes()
        source = pool.storageVolLookupByName("source")
        return self._each(count, lambda number: pool.createXMLFrom(_xml(f"copy-{number}", "raw", _SOURCE), source))

    def vol_clone_qcow2(self, count: int) -> list[float]:
        """Copies of 16 MiB of data into qcow2."""
        pool = self._pool_of_volumes()
        source = pool.storageVolLookupByName("source")
        return self._each(count, lambda number: pool.createXMLFrom(_xml(f"conv-{number}", "qcow2", _SOURCE), source))

    def vol_delete(self, _count: int) -> list[float]:
        """Remove all that the measures before have made."""
        samples = []
        for volume in self._made:
            begun = time.perf_counter()
            volume.delete()
            samples.append(time.perf_counter() - begun)
        self._made.clear()
        return samples

    def vol_upload(self, count: int) -> list[float]:
        """A gibibyte of data into a volume that was made for it, as `vol-create-as` and `vol-upload` do."""
        pool = self._pool_of_volumes()
        data = os.urandom(_STEP)
        volume = None
        samples = []
        for _ in range(count):
            if volume is not None:
                volume.delete()
            volume = pool.createXML(_xml("transfer", "raw", _TRANSFER))
            left = _TRANSFER // _STEP

            def more(_stream: libvirt.virStream, _size: int, _opaque: object) -> bytes:
                nonlocal left
                left -= 1
                return data if left >= 0 else b""

            begun = time.perf_counter()
            stream = self.connection.newStream()
            volume.upload(stream, 0, _TRANSFER)
            stream.sendAll(more, None)
            stream.finish()
            samples.append(time.perf_counter() - begun)
        return samples

    def vol_download(self, count: int) -> list[float]:
        """The same down again."""
        volume = self._pool_of_volumes().storageVolLookupByName("transfer")
        samples = []
        for _ in range(count):
            got = 0

            def take(_stream: libvirt.virStream, data: bytes, _opaque: object) -> None:
                nonlocal got
                got += len(data)

            begun = time.perf_counter()
            stream = self.connection.newStream()
            volume.download(stream, 0, 0)
            stream.recvAll(take, None)
            stream.finish()
            samples.append(time.perf_counter() - begun)
            if got != _TRANSFER:
                raise RuntimeError(f"{got} bytes came")
        volume.delete()
        return samples

    def vol_end(self, _count: int) -> list[float]:
        """Remove the pool and what is in it."""
        if self._volumes is not None:
            self._volumes.destroy()
            shutil.rmtree(self._place)
            self._volumes = None
        return []
