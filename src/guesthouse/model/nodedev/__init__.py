"""A device of the host: `<device>`, with what it can do, one module a kind of hardware.

Format: https://libvirt.org/formatnode.html
"""
