"""The network filter driver: what frames and packets guests' cards may send and get.

`procedures` translate the protocol's calls, `filters` changes definitions, `bindings` says which device has which
filter, `planning` makes chains of them, `kernel` puts those into nftables, `watching` listens for the address of a
guest that nobody has told, `store` keeps the files, `service` is what the domain driver sees.
"""
