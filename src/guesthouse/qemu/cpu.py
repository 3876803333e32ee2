"""What QEMU itself knows about CPU models: their names, what one consists of, and, on s390x, how two compare.

On x86 QEMU can only expand a model into its properties. Comparing and computing a baseline there is the work of
libvirt's own table of CPU models (`guesthouse.model.cpu_matching`); QEMU refuses both, and so do `compare` and
`baseline` here, with libvirt's words.

Source: QEMU's `qapi/machine-target.json`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from guesthouse.errors import Code, LibvirtError, Origin
from guesthouse.model.qemu_capabilities import KVM, TCG, QemuCapabilities
from guesthouse.qemu.inquiry import PROBE_DEADLINE, questioned
from guesthouse.qemu.json_value import Json, JsonObject, Sendable, as_object, text_of
from guesthouse.qemu.monitor import QmpError


@dataclass(frozen=True, slots=True)
class ExpandedCpu:
    """A CPU model and its properties under QEMU's names: features as booleans, others as numbers or texts."""

    model: str
    properties: dict[str, bool | int | str]

    def features(self) -> frozenset[str]:
        """The features that are on."""
        return frozenset(name for name, value in self.properties.items() if value is True)

    def to_qmp(self) -> dict[str, Sendable]:
        """As QMP's `CpuModelInfo`."""
        return {"name": self.model, "props": self.properties}


def model_names(capabilities: QemuCapabilities, accelerator: str) -> list[str]:
    """The models that `-cpu` takes with an accelerator, without the versions (`-v1`) and the special ones."""
    models = capabilities.cpu_models.get(accelerator, ())
    versions = {model.alias_of for model in models if model.alias_of}
    return sorted(
        model.name for model in models if model.name not in versions and model.name not in ("host", "max", "base")
    )


def host_cpu(capabilities: QemuCapabilities, accelerator: str) -> ExpandedCpu | None:
    """The best CPU that a guest can have: the host's own with KVM, all that TCG emulates without. None if unknown."""
    properties = capabilities.cpu_expansions.get(accelerator)
    return None if properties is None else ExpandedCpu({KVM: "host", TCG: "max"}[accelerator], properties)


async def expand(
    binary: str,
    accelerator: str,
    cpu: ExpandedCpu,
    *,
    static: bool = False,
    deadline: float = PROBE_DEADLINE,
) -> ExpandedCpu:
    """A model with everything that it implies; with `static`, in terms of a model that never changes (`base`).

    Raises `LibvirtError` (not supported) where QEMU cannot, `ProbeError`.
    """
    arguments = {"type": "static" if static else "full", "model": cpu.to_qmp()}
    unsupported = "expanding CPU models is not supported by this QEMU"
    return _model(await _ask(binary, accelerator, "query-cpu-model-expansion", arguments, unsupported, deadline))


async def compare(
    capabilities: QemuCapabilities,
    accelerator: str,
    first: ExpandedCpu,
    second: ExpandedCpu,
    *,
    deadline: float = PROBE_DEADLINE,
) -> str:
    """How `first` relates to `second`: `identical`, `superset`, `subset` or `incompatible`. Errors as `expand`."""
    unsupported = f"comparing with the hypervisor CPU is not supported for arch {capabilities.arch}"
    arguments = {"modela": first.to_qmp(), "modelb": second.to_qmp()}
    answer = await _ask(
        capabilities.binary, accelerator, "query-cpu-model-comparison", arguments, unsupported, deadline
    )
    return text_of(answer, "result")


async def baseline(
    capabilities: QemuCapabilities,
    accelerator: str,
    first: ExpandedCpu,
    second: ExpandedCpu,
    *,
    deadline: float = PROBE_DEADLINE,
) -> ExpandedCpu:
    """The most that both have in common. Errors as `expand`."""
    unsupported = f"computing baseline hypervisor CPU is not supported for arch {capabilities.arch}"
    arguments = {"modela": first.to_qmp(), "modelb": second.to_qmp()}
    return _model(
        await _ask(capabilities.binary, accelerator, "query-cpu-model-baseline", arguments, unsupported, deadline)
    )


async def _ask(
    binary: str,
    accelerator: str,
    command: str,
    arguments: Mapping[str, Sendable],
    unsupported: str,
    deadline: float,
) -> JsonObject:
    async with questioned(binary, accelerator, deadline) as monitor:
        try:
            return as_object(await monitor.execute(command, arguments, deadline=deadline), command)
        except QmpError as error:
            refusal = error
    if refusal.class_ == "CommandNotFound":
        raise LibvirtError(unsupported, code=Code.OPERATION_UNSUPPORTED, domain=Origin.QEMU) from refusal
    raise refusal


def _model(answer: JsonObject) -> ExpandedCpu:
    model = as_object(answer.get("model"), "the model")
    properties: dict[str, Json] = as_object(model.get("props", {}), "the model's properties")
    known = {name: value for name, value in sorted(properties.items()) if isinstance(value, bool | int | str)}
    return ExpandedCpu(text_of(model, "name"), known)
