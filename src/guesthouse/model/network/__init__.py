"""A virtual network: `<network>`, one module a part of the document.

Format: https://libvirt.org/formatnetwork.html
"""
