"""The interface driver: the host's network cards, bridges, bonds and VLANs, as they are and as they are configured.

A document is a tree: a bridge has a bond inside, which has cards. The kernel and every host's configuration know a flat
set instead, in which a card names its bond and a VLAN its card. `link` is that flat form, and everything goes by it:

    document  <->  documents  <->  links  <->  formats (ifupdown, networkd, NetworkManager's key files)
                                   links  <->  kernel, realising (sysfs, netlink)

`configuration` is the host's own configuration, of whichever of the three runs here, and the only place where a
definition is kept; `managers` are the programs that put it into force, or the kernel itself where there is none.
`journal` undoes a change that was cut off, `transaction` is begin, commit and rollback, `actions` the rest.
"""
