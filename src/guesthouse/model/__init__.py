"""libvirt's XML formats as typed objects: pure, without I/O. `binding` declares, `xmltext` reads and writes."""
