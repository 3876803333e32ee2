"""Devices of the host: what sysfs and udev say of them, and taking PCI devices from their drivers.

Format: https://libvirt.org/formatnode.html. Calls: https://libvirt.org/html/libvirt-libvirt-nodedev.html.
"""
