"""The daemon: sockets, sessions, limits, dispatch. `main` is `guesthoused`; `start` and `daemon` put it together."""
