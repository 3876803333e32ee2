"""Run a few instructions in a virtual machine, and print as JSON what came of it.

A program of its own, standard library only, started by `guesthouse.qemu.accel`: a kernel that hangs in KVM_RUN then
hangs a process that can be killed.

The machine is one page of memory and one processor in 32-bit protected mode without paging, which every KVM host runs
on the processor itself. It counts down a register and halts. How long that takes tells whether the processor ran it or
the kernel emulated every instruction: some /dev/kvm do the latter, and no guest gets anywhere on them.

Source: the Linux kernel's `Documentation/virt/kvm/api.rst`; structures from `arch/x86/include/uapi/asm/kvm.h`.
"""

from __future__ import annotations

import ctypes
import fcntl
import json
import mmap
import os
import platform
import struct
import sys
import time

GET_API_VERSION = 0xAE00
CREATE_VM = 0xAE01
GET_VCPU_MMAP_SIZE = 0xAE04
CREATE_VCPU = 0xAE41
SET_TSS_ADDR = 0xAE47
RUN = 0xAE80
SET_USER_MEMORY_REGION = 0x4020AE46
GET_SREGS = 0x8138AE83
SET_SREGS = 0x4138AE84
SET_REGS = 0x4090AE82

SREGS_SIZE = 312
REGS_SIZE = 144
SEGMENT_SIZE = 24
CR0_OFFSET = 224
EXIT_REASON_OFFSET = 8
EXIT_HLT = 5

#: Three pages that old Intel processors need, where no memory of ours lies.
TSS_ADDRESS = 0x7FF00000

ENTRY = 0x1000
COUNT = 100_000

#: A processor needs a tenth of this for COUNT turns even when it is shared; an emulator five times as much.
SLOWEST_SECONDS = 0.010

TRIALS = 3


def program() -> bytes:
    """`mov ecx, COUNT; again: dec ecx; jnz again; hlt`, for 32-bit x86."""
    return b"\xb9" + struct.pack("<I", COUNT) + b"\x49\x75\xfd\xf4"


def flat_segment(selector: int, kind: int) -> bytes:
    """A `kvm_segment` over all of memory: 32 bits, present, ring 0. `kind` is the descriptor's type."""
    present, ring, big, user, long_, granular = 1, 0, 1, 1, 0, 1
    flags = (kind, present, ring, big, user, long_, granular, 0, 0, 0)
    return struct.pack("<QIH10B", 0, 0xFFFFFFFF, selector, *flags)


class Machine:
    """A virtual machine of one page and one processor. Everything may raise OSError."""

    def __init__(self, device: int) -> None:
        self._vm = fcntl.ioctl(device, CREATE_VM, 0)
        fcntl.ioctl(self._vm, SET_TSS_ADDR, TSS_ADDRESS)
        self._memory = mmap.mmap(-1, mmap.PAGESIZE, flags=mmap.MAP_SHARED | mmap.MAP_ANONYMOUS)
        self._memory[: len(program())] = program()
        address = ctypes.addressof(ctypes.c_char.from_buffer(self._memory))
        region = struct.pack("<IIQQQ", 0, 0, ENTRY, mmap.PAGESIZE, address)
        fcntl.ioctl(self._vm, SET_USER_MEMORY_REGION, region)
        self._vcpu = fcntl.ioctl(self._vm, CREATE_VCPU, 0)
        self._run = mmap.mmap(self._vcpu, fcntl.ioctl(device, GET_VCPU_MMAP_SIZE, 0))
        sregs = bytearray(SREGS_SIZE)
        fcntl.ioctl(self._vcpu, GET_SREGS, sregs)
        data = flat_segment(16, 3)
        sregs[: 6 * SEGMENT_SIZE] = flat_segment(8, 11) + data * 5
        (cr0,) = struct.unpack_from("<Q", sregs, CR0_OFFSET)
        struct.pack_into("<Q", sregs, CR0_OFFSET, cr0 | 1)
        fcntl.ioctl(self._vcpu, SET_SREGS, bytes(sregs))

    def run(self) -> tuple[int, float]:
        """Run the program from its start. Returns KVM's exit reason and the seconds it took."""
        registers = bytearray(REGS_SIZE)
        struct.pack_into("<QQ", registers, 128, ENTRY, 2)  # rip, rflags
        fcntl.ioctl(self._vcpu, SET_REGS, bytes(registers))
        before = time.perf_counter()
        fcntl.ioctl(self._vcpu, RUN, 0)
        return struct.unpack_from("<I", self._run, EXIT_REASON_OFFSET)[0], time.perf_counter() - before


def trial(path: str) -> dict[str, str | int | float]:
    """What came of it: `stage` is the last that was reached, `error` the errno's text if one failed."""
    found: dict[str, str | int | float] = {"stage": "open", "error": ""}
    try:
        device = os.open(path, os.O_RDWR | os.O_CLOEXEC)
        found["stage"] = "version"
        found["version"] = fcntl.ioctl(device, GET_API_VERSION, 0)
        found["stage"] = "create"
        if platform.machine() != "x86_64":
            os.close(fcntl.ioctl(device, CREATE_VM, 0))
            found["stage"] = "created"
            return found
        machine = Machine(device)
        found["stage"] = "run"
        results = [machine.run() for _ in range(TRIALS)]
        found["exit"] = next((reason for reason, _ in results if reason != EXIT_HLT), EXIT_HLT)
        found["seconds"] = min(seconds for _, seconds in results)
        found["stage"] = "ran"
    except OSError as error:
        found["error"] = error.strerror or str(error)
        found["errno"] = error.errno or 0
    return found


if __name__ == "__main__":
    json.dump(trial(sys.argv[1]), sys.stdout)
