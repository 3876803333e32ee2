"""How the host serves a guest: shares, pins, limits, control groups and counters."""
