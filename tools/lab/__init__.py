"""The lab: tests that need a bigger kernel than the machine's run in a virtual machine with Debian's full kernel.

The machine boots from a busybox initramfs, mounts this host's root over 9p read-only, lays the packages that the tests
need and a memory file system over it, and makes that its root: what is installed here is there, and what is written
there is gone with it. It has an IOMMU, a network card with virtual functions, USB, and two ports to the host: the
console, and one of JSON lines (`messages`), over which the host says what to run and hears what came of it.

`./dev test --lab [ARGS]` runs `tests/lab` in it. Host side: `packages`, `initramfs`, `machine`; inside: `inside`,
`preparing`.
"""
