"""The host's side of guests' network cards: made, changed, limited and taken away."""
