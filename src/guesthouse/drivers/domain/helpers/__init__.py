"""Programs that help a guest's QEMU: how they are started, watched, found again and ended."""
