"""The programs that travel on one connection."""

from __future__ import annotations

from guesthouse.rpc.procedure import (
    ADMIN_PROGRAM,
    GUESTHOUSE_PROGRAM,
    KEEPALIVE_PROGRAM,
    QEMU_PROGRAM,
    REMOTE_PROGRAM,
    Program,
)

#: Families by how soon a client or server needs them: a lookup loads them in this order until it finds its number.
REMOTE = Program(
    REMOTE_PROGRAM,
    1,
    "remote",
    (
        "connect",
        "domain",
        "auth",
        "events",
        "network",
        "storage",
        "storage_vol",
        "domain_stats",
        "node",
        "domain_devices",
        "domain_save",
        "domain_agent",
        "domain_tuning",
        "domain_cpu",
        "domain_block",
        "snapshot",
        "checkpoint",
        "nodedev",
        "secret",
        "nwfilter",
        "interface",
        "domain_migration",
        "events_objects",
        "events_generation1",
        "network_port",
    ),
)
QEMU = Program(QEMU_PROGRAM, 1, "qemu", ("qemu",))
GUESTHOUSE = Program(GUESTHOUSE_PROGRAM, 1, "guesthouse", ("guesthouse", "guesthouse_volumes"))
ADMIN = Program(ADMIN_PROGRAM, 1, "admin", ("admin",))
KEEPALIVE = Program(KEEPALIVE_PROGRAM, 1, "keepalive", ("keepalive",))
