"""What GET_ALL_DOMAIN_STATS tells of a guest: one module a group, from memory and `/proc`.

What only QEMU knows is in the run's readings; `polling` brings them up to date before. Where QEMU did not answer in
time, its last readings are told, and `stats.age` says how old they are, in milliseconds.

Names, types and groups: libvirt's `virDomainStatsTypes`
(https://libvirt.org/html/libvirt-libvirt-domain.html#virConnectGetAllDomainStats).
"""
