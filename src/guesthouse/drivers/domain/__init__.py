"""The domain driver: guests, from their definitions on disk to the QEMU processes that run them.

One direction: `procedures*` translate the protocol's calls, `lifecycle` and its neighbours act on a `Guest` of the
`registry`, `states` says what may follow what, `store` keeps the files, `events` tells the clients.

Queries read a guest's snapshot from memory and never wait. What changes a guest holds the guest's `job`.
"""
