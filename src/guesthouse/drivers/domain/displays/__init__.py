"""Screens, keyboards and the ports of guests' displays."""
