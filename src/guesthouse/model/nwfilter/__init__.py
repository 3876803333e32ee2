"""A network filter: `<filter>`, rules for the packets of a guest's card.

Format: https://libvirt.org/formatnwfilter.html
"""
