"""Volumes: what is asked for, what is found, and what is done to them, whatever kind of pool they are in.

`checking` reads documents, `creating` and `changing` do what clients ask for, `uploading` and `downloading` carry their
bytes, `claims` knows who is at which volume, `journal` what was cut off, `describing` says what a volume is. They reach
the storage through `guesthouse.drivers.storage.backend` only; `local` and `files` are the back ends for what has a path
on this host.
"""
