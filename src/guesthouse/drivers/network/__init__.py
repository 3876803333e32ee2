"""The network driver: virtual networks that guests' cards are put on by name.

`procedures` translate the protocol's calls, `actions` changes a `VirtualNetwork` of the `registry`, `pools` says what a
network hands out, `service` gives places on it to guests, `store` keeps the files, `events` tells who asked. Networks
on a bridge or on devices that the host has already can be started; those for which the host would need a bridge of
their own are known and refused.
"""
