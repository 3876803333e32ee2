"""Changing the devices of a guest while it runs, and in its definition.

    change          what the status file says of a change that is under way
    kinds           which kinds of devices can be plugged, and what speaks against a particular one
    wiring          the objects of a device in a running QEMU: made, and taken away again
    host            what a device needs of the host: programs, network devices, images
    attach          a device comes
    detach          the guest is asked to let go of a device
    release         QEMU has let go of a device: what is left of it goes
    media           discs come into drives and leave them
    drives          a drive and the disc in it
    memory          how much memory there is altogether
    update          a device that is there becomes another; `update_card`, `update_display`, and what they compare
    comparing       what of a device may not change
    contexts        what devices are told
    configuring     the same three in the definition
    settling        what was begun is brought to an end, by the next daemon or when QEMU answers again
    actions         what the procedures ask for

The rule behind all of them: before QEMU is told anything, the status file says what the guest will have. A device that
stands in the file and that QEMU does not have is not there, whatever the reason: it was never made, or it was released
while nobody listened. Whoever takes the guest up removes it and what is left of it.
"""
