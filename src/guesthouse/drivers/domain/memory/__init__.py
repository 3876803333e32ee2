"""A guest's memory: where it lies on the host, how much the guest has of it, devices that bring more."""
