"""The secret driver: passphrases and keys that guests and pools need, and no document holds.

`procedures` translate the protocol's calls, `actions` changes a `StoredSecret` of the `registry`, `store` keeps the
files, `vault` seals the values, `events` tells who asked, `lookup` is what the other drivers see. A value is a cipher
everywhere but in the one call that sets or asks for it: on disk, and in the daemon's memory.
"""
