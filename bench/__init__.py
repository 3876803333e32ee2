"""The same work on guesthoused and on libvirtd, side by side in one run: `./dev bench`.

Both daemons run at once, each under a directory of its own, and are asked in turn by the same client
(python3-libvirt), so that a change in the machine's speed hits both. What is printed is medians and their ratios.
"""
