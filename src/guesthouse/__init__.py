"""Guesthouse: a virtualization host that speaks libvirt's protocol, formats and words.

`docs/architecture.md` is the map of the packages and of what may import what.
"""

__version__ = "0.1.0"
