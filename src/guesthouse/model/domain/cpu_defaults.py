"""The processor of a guest whose definition leaves it open, and what a definition leaves open about a processor.

Rules: https://libvirt.org/formatdomain.html#cpu-model-and-topology
"""

from __future__ import annotations

from guesthouse.errors import UnsupportedConfigError
from guesthouse.model.binding import new
from guesthouse.model.cpu_models import X86
from guesthouse.model.domain.cpu import Cpu, CpuFeature, CpuModel
from guesthouse.model.domain.definition import Domain
from guesthouse.model.qemu_capabilities import QemuCapabilities


def complete(domain: Domain, qemu: QemuCapabilities) -> None:
    """Name the processor that QEMU would take, and fill in what follows from a mode.

    Raises `UnsupportedConfigError` for settings without a model, and for vector lengths without vectors.
    """
    if domain.cpu is None or domain.cpu.mode is None:
        if domain.cpu is not None and domain.cpu.check is not None:
            raise UnsupportedConfigError("check attribute specified for CPU with no model")
        _take_default(domain, qemu)
    cpu = domain.cpu
    if cpu is None or cpu.mode is None:
        return
    _complete_vectors(cpu)
    if cpu.mode == "host-passthrough" and cpu.migratable is None and domain.os.arch in X86:
        cpu.migratable = True
    if cpu.check is None:
        if cpu.mode in ("host-passthrough", "maximum"):
            cpu.check = "none"
        else:
            cpu.check = "none" if cpu.mode == "custom" and domain.type == "qemu" else "partial"


def _take_default(domain: Domain, qemu: QemuCapabilities) -> None:
    """On Arm QEMU's answer holds for TCG alone; on s390x KVM guests have the host's processor."""
    s390 = domain.os.arch == "s390x"
    if domain.type == "kvm" and domain.os.arch not in X86 and not s390:
        return
    machine = qemu.machine(domain.os.machine)
    model = machine.default_cpu if machine is not None else ""
    if not model:
        return
    cpu = domain.cpu = domain.cpu or new(Cpu)
    if s390 and domain.type == "kvm":
        cpu.mode = "host-model"
        return
    cpu.mode, cpu.match, cpu.check = "custom", "exact", "none"
    cpu.model = new(CpuModel, name="qemu" if s390 else model, fallback="forbid")


def _complete_vectors(cpu: Cpu) -> None:
    """Lengths of Arm's vectors, such as `sve512`, need the vectors."""
    if not any(feature.name.startswith("sve") and feature.name != "sve" for feature in cpu.features):
        return
    vectors = next((feature for feature in cpu.features if feature.name == "sve"), None)
    if vectors is None:
        cpu.features.append(new(CpuFeature, name="sve", policy="require"))
    elif vectors.policy in ("disable", "forbid"):
        raise UnsupportedConfigError("SVE disabled, but SVE vector lengths provided")
    else:
        vectors.policy = "require"
