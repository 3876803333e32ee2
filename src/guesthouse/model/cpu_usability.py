"""Whether a QEMU on this host can run a described processor.

QEMU names what keeps each of its models from running here; of other models, and of those that are marked `compat`, the
named features are compared with the best that QEMU offers.
"""

from __future__ import annotations

from typing import Final

from guesthouse.model.cpu_definition import CpuDefinition
from guesthouse.model.cpu_from_qemu import blockers
from guesthouse.model.cpu_matching import SUPERSET, compare, features_of, incompatible
from guesthouse.model.cpu_models import table
from guesthouse.model.qemu_capabilities import QemuCapabilities

#: Features that QEMU has never offered or has dropped: no command line may name them.
NOT_IN_QEMU: Final = frozenset(
    ("cmt", "mbm_total", "mbm_local", "osxsave", "ospke", "vmx-ept-uc", "vmx-ept-wb", "vmx-invvpid-single-context")
)


def serve(
    capabilities: QemuCapabilities, accelerator: str, best: CpuDefinition, cpu: CpuDefinition, *, fail: bool
) -> int:
    """How the emulator serves a guest that asks for `cpu`: 0 incompatible, 1 identical, 2 superset.

    `best` is what the host offers: `host_model`, with KVM also what the host's own processor has. A model that QEMU
    calls usable is a superset. With `fail`, an incompatible processor is an error (91) that names what is missing.
    """
    missing = blockers(capabilities, accelerator).get(cpu.model or "")
    disabled_only = all(policy == "disable" for policy in cpu.features.values())
    if cpu.model and missing is not None and not missing and disabled_only:
        return SUPERSET
    model = table().models.get(cpu.model or "")
    if missing is None or (model is not None and model.compat):
        return compare(best, cpu, fail=fail)
    lacking = [name for name in missing if cpu.features.get(name) != "disable"]
    offered = features_of(best)
    lacking += [name for name, policy in cpu.features.items() if policy == "require" and name not in offered]
    if lacking:
        return incompatible(f"Host CPU does not provide required features: {', '.join(lacking)}", fail=fail)
    return SUPERSET
