"""A guest: its definition (`<domain>`), one module a device or section.

Each module holds the XML shape, the defaults, the checks and the QEMU objects of one thing. See
https://libvirt.org/formatdomain.html for the format.
"""
