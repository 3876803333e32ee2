"""Devices of the host that guests have for themselves."""
