"""Guests' disks on the host: how they are prepared, how large they are, how fast they may be."""
