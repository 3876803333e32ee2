"""Measures of storage pools: looking at a directory of many images."""

from __future__ import annotations

import os
import shutil
import struct
import tempfile
import time

import libvirt

#: The header of a qcow2 image: version, no backing image, clusters of 64 KiB, 1 GiB.
_HEADER = struct.pack(">4sIQIIQIIQQIIQQQQII", b"QFI\xfb", 3, 0, 0, 16, 1 << 30, 0, 2, 0x30000, 0x10000, 1, 0, 0,
                      0, 0, 0, 4, 104)  # fmt: skip
_LENGTH = 196616


class PoolWork:
    """A pool of `count` images, half of them qcow2, made by the first measure."""

    connection: libvirt.virConnect

    def __init__(self) -> None:
        super().__init__()
        self._pool: libvirt.virStoragePool | None = None
        self._folder = ""

    def _images(self, count: int) -> libvirt.virStoragePool:
        if self._pool is None:
            self._folder = tempfile.mkdtemp(prefix="guesthouse-bench-pool-")
            for number in range(count):
                with open(f"{self._folder}/image-{number:05}", "wb") as image:
                    if number % 2:
                        image.write(_HEADER)
                    image.truncate(_LENGTH)
            place = f"<target><path>{self._folder}</path></target>"
            self._pool = self.connection.storagePoolCreateXML(f"<pool type='dir'><name>bench</name>{place}</pool>")
            if self._pool.numOfVolumes() != count:
                raise RuntimeError("not all volumes were found")
        return self._pool

    def refresh_new(self, count: int) -> list[float]:
        """A refresh after every image was changed."""
        pool = self._images(count)
        with os.scandir(self._folder) as entries:
            for entry in entries:
                os.utime(entry.path)
        return [_timed(pool)]

    def refresh_same(self, count: int) -> list[float]:
        """A refresh after nothing was changed."""
        pool = self._images(count)
        return [_timed(pool) for _ in range(5)]

    def refresh_end(self, _count: int) -> list[float]:
        """Remove the pool and its images."""
        if self._pool is not None:
            self._pool.destroy()
            shutil.rmtree(self._folder)
            self._pool = None
        return []


def _timed(pool: libvirt.virStoragePool) -> float:
    begun = time.perf_counter()
    pool.refresh()
    return time.perf_counter() - begun
