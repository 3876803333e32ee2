"""Addresses of a guest's devices: which bus, slot and port each has.

The rules are libvirt's, so that a definition that moves between hosts gives the guest the same hardware
(https://libvirt.org/formatdomain.html#device-addresses, https://libvirt.org/pci-addresses.html). What is assigned is
written back into the definition and never changes again.
"""
