"""The files of guests, in libvirt's places."""
