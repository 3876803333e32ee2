"""The storage driver: pools, and the volumes in them. So far all pools are directories.

`procedures*` translate the protocol's calls, `actions` changes a `StoragePool` of the `registry`, `volumes` says what
is in it, `creating` makes and removes volumes, `store` keeps the files. What touches a pool's own directory runs in a
child process with a deadline.
"""
