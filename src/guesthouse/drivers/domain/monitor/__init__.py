"""What QEMU tells by itself, and what follows from it."""
