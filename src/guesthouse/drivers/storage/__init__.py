"""The storage driver: pools, and the volumes in them. So far pools are directories, and volumes are looked at only.

`procedures*` translate the protocol's calls, `actions` changes a `StoragePool` of the `registry`, `volumes` says what
is in it, `store` keeps the files. What touches a pool's own directory runs in a child process with a deadline.
"""
