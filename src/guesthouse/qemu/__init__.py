"""What knows QEMU as a program.

`launch` starts one and `monitor` (over `qmp`) speaks to it; `probe` and `cpu` ask what it can do, `accel` whether KVM
works; `agent` speaks to the guest inside; `firmware` and `images` find and make what a guest needs on disk.
"""
