"""The daemon: sockets, sessions, limits, dispatch. `main` is `guesthoused`; `daemon` puts the parts together."""
