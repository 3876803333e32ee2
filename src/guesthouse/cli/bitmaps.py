"""Bit maps of CPUs, as libvirt sends them (the lowest bit of the first byte is CPU 0), as text."""

from __future__ import annotations


def flags(data: bytes, count: int) -> str:
    """One character a CPU: `y` or `-`."""
    return "".join("y" if at // 8 < len(data) and data[at // 8] >> at % 8 & 1 else "-" for at in range(count))


def ranges(data: bytes) -> str:
    """The CPUs as ranges, such as `0-3,7`."""
    bits = int.from_bytes(data, "little")
    parts = []
    at = 0
    while bits >> at:
        if not bits >> at & 1:
            at += 1
            continue
        end = at
        while bits >> end + 1 & 1:
            end += 1
        parts.append(str(at) if end == at else f"{at}-{end}")
        at = end + 1
    return ",".join(parts)
