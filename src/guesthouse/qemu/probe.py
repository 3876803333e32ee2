"""Ask a QEMU binary what it can do, once: the answers are kept in a cache until the binary or the host changes.

A QEMU without a machine is started, asked everything in a few writes, and killed. That takes a quarter of a second;
reading the cache takes two milliseconds. The cache is `CACHE/qemu/capabilities/NAME-CHECKSUM.json`, of the binary's
name and path; inside, a key says for which binary, kernel and microcode it was made.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import zlib
from pathlib import Path
from typing import TypeAlias

from guesthouse.errors import Code, LibvirtError
from guesthouse.host.files import read_limited, write_atomic
from guesthouse.model.qemu_capabilities import KVM, TCG, CpuModel, Machine, QemuCapabilities, StaticModel
from guesthouse.qemu.inquiry import PROBE_DEADLINE, ProbeError, questioned
from guesthouse.qemu.json_value import Json, JsonObject, Sendable, as_list, as_object, objects, text_of
from guesthouse.qemu.monitor import Monitor, QmpError
from guesthouse.qemu.probed_types import DEVICES, OBJECTS
from guesthouse.qemu.schema import Schema

#: Counts up whenever this module asks or keeps something else, so that older caches are made again.
PROBE_VERSION = 4

_CACHE_LIMIT = 8 * 1024 * 1024

_Key: TypeAlias = dict[str, str | int | bool]


async def probe(
    binary: str | Path, cache: Path | None, *, kvm: bool, deadline: float = PROBE_DEADLINE
) -> QemuCapabilities:
    """What `binary` can do; from the cache when it is fresh.

    `cache` is the daemon's cache directory (`Places.cache`), None for no cache. `kvm` says whether KVM was seen
    working (`guesthouse.qemu.accel`); it belongs to the key. Raises `ProbeError`, `MonitorTimeout`.
    """
    key = _key(Path(binary), kvm)
    path = None if cache is None else cache_path(cache, binary)
    if path is not None and (cached := _read_cache(path, key)) is not None:
        return cached
    found = await _ask(str(binary), TCG, deadline)
    if kvm:
        with_kvm = await _ask(str(binary), KVM, deadline)
        found = _merged(found, with_kvm)
    if path is not None:
        _write_cache(path, key, found)
    return found


def cache_path(cache: Path, binary: str | Path) -> Path:
    """Where the capabilities of `binary` are kept."""
    checksum = zlib.crc32(os.fsencode(binary))  # the file names its binary; two of one name are probed in turn
    return cache / "qemu" / "capabilities" / f"{Path(binary).name[:100]}-{checksum:08x}.json"


def _key(binary: Path, kvm: bool) -> _Key:
    try:
        facts = binary.stat()
    except OSError as error:
        raise ProbeError(f"Cannot check QEMU binary {binary}: {error.strerror}", code=Code.SYSTEM_ERROR) from error
    return {
        "binary": str(binary),
        "mtime": facts.st_mtime_ns,
        "size": facts.st_size,
        "probe": PROBE_VERSION,
        "kernel": f"{os.uname().release} {os.uname().version}",
        "microcode": _microcode(),
        "kvm": kvm,
    }


def _microcode() -> str:
    """The processor's microcode revision; it can add and remove CPU features."""
    with contextlib.suppress(OSError), open("/proc/cpuinfo", encoding="ascii", errors="replace") as file:
        for line in file:
            if line.startswith("microcode"):
                return line.partition(":")[2].strip()
            if not line.strip():
                break  # the first processor is enough
    return ""


def _read_cache(path: Path, key: _Key) -> QemuCapabilities | None:
    """The cached capabilities; None when there are none, or they are broken, or for something else."""
    try:
        content: Json = json.loads(read_limited(path, _CACHE_LIMIT))
        if not isinstance(content, dict) or content.get("key") != key:
            return None
        return QemuCapabilities.from_json(as_object(content["capabilities"], "the cache"))
    except (OSError, ValueError, KeyError, TypeError, RecursionError, LibvirtError):
        return None


def _write_cache(path: Path, key: _Key, found: QemuCapabilities) -> None:
    """A cache that cannot be written costs time at the next start, nothing else."""
    content = json.dumps({"key": key, "capabilities": found.to_json()}, separators=(",", ":"))
    with contextlib.suppress(OSError):
        path.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
        write_atomic(path, content.encode(), durable=False)


async def _ask(binary: str, accelerator: str, deadline: float) -> QemuCapabilities:
    async with questioned(binary, accelerator, deadline) as monitor:
        return await _question(monitor, binary, accelerator, deadline)


async def _question(monitor: Monitor, binary: str, accelerator: str, deadline: float) -> QemuCapabilities:
    """Everything, in three writes: what exists, then what the types that exist look like."""
    target, machines, cpus, devices, user_objects, options, schema = await monitor.pipeline(
        [
            ("query-target", None),
            ("query-machines", None),
            ("query-cpu-definitions", None),
            ("qom-list-types", {"implements": "device"}),
            ("qom-list-types", {"implements": "user-creatable"}),
            ("query-command-line-options", None),
            ("query-qmp-schema", None),
        ],
        deadline=deadline,
    )
    arch = text_of(as_object(target, "the target"), "arch")
    device_names, object_names = _names(devices), _names(user_objects)
    machine_table = {
        machine.name: machine for machine in (machine_of(item, arch) for item in objects(machines, "machines"))
    }
    gic = await _optional(monitor, "query-gic-capabilities", deadline)
    if monitor.greeting is None:
        raise ProbeError(f"Failed to probe QEMU binary with QMP: {binary} sent no greeting")
    return QemuCapabilities(
        binary=binary,
        version=monitor.greeting.version,
        package=monitor.greeting.package,
        arch=arch,
        kvm=accelerator == KVM,
        machines=machine_table,
        devices=device_names,
        device_properties=await _properties(
            monitor, "device-list-properties", sorted(device_names & DEVICES), deadline
        ),
        objects=object_names,
        object_properties=await _properties(
            monitor, "qom-list-properties", [*sorted(object_names & OBJECTS), *_machine_types(machine_table)], deadline
        ),
        options=options_of(options),
        cpu_models={accelerator: tuple(cpu_model_of(item) for item in objects(cpus, "CPU models"))},
        cpu_expansions=await _expansion(monitor, accelerator, deadline),
        features=Schema(schema).found(),
        migration_capabilities=await _migration_capabilities(monitor, deadline),
        tpm_models=await _optional_texts(monitor, "query-tpm-models", deadline),
        tpm_backends=await _optional_texts(monitor, "query-tpm-types", deadline),
        static_models=await _static_models(monitor, arch, accelerator, deadline),
        gic_versions=gic_versions_of(gic, "kernel"),
        gic_emulated=gic_versions_of(gic, "emulated"),
        sev_bits=sev_bits_of(await _optional(monitor, "query-sev-capabilities", deadline)),
    )


async def _properties(monitor: Monitor, command: str, types: list[str], deadline: float) -> dict[str, frozenset[str]]:
    answers = await monitor.pipeline([(command, {"typename": name}) for name in types], deadline=deadline)
    return {name: _names(answer) for name, answer in zip(types, answers, strict=True)}


def _machine_types(machines: dict[str, Machine]) -> list[str]:
    """The QOM types of the machines that guests are made with today; the pinned older ones have the same properties."""
    return [f"{machine.name}-machine" for machine in machines.values() if machine.alias or machine.default]


async def _expansion(monitor: Monitor, accelerator: str, deadline: float) -> dict[str, dict[str, bool | int | str]]:
    """The properties of the best CPU of the accelerator; empty where QEMU cannot expand CPU models."""
    best = "host" if accelerator == KVM else "max"
    try:
        answer = await monitor.execute(
            "query-cpu-model-expansion", {"type": "full", "model": {"name": best}}, deadline=deadline
        )
    except QmpError:
        return {}
    model = as_object(as_object(answer, "the expansion").get("model"), "the expanded model")
    props = as_object(model.get("props"), "the model's properties")
    return {accelerator: {name: value for name, value in sorted(props.items()) if isinstance(value, bool | int | str)}}


async def _static_models(monitor: Monitor, arch: str, accelerator: str, deadline: float) -> dict[str, StaticModel]:
    if arch != "s390x":
        return {}
    question: dict[str, Sendable] = {"type": "static", "model": {"name": "host" if accelerator == KVM else "max"}}
    try:
        answer = await monitor.execute("query-cpu-model-expansion", question, deadline=deadline)
    except QmpError:
        return {}
    return {accelerator: static_model_of(answer)}


def static_model_of(answer: Json) -> StaticModel:
    """An answer of `query-cpu-model-expansion` of type `static`."""
    content = as_object(answer, "the expansion")
    model = as_object(content.get("model"), "the expanded model")
    props = as_object(model.get("props") or {}, "the model's properties")
    deprecated = as_list(content.get("deprecated-props") or [], "deprecated properties")
    return StaticModel(
        text_of(model, "name"),
        tuple(name for name, value in props.items() if value is True),
        tuple(name for name in deprecated if isinstance(name, str)),
    )


async def _migration_capabilities(monitor: Monitor, deadline: float) -> frozenset[str]:
    answer = await monitor.execute("query-migrate-capabilities", deadline=deadline)
    return frozenset(text_of(item, "capability") for item in objects(answer, "migration capabilities"))


async def _optional(monitor: Monitor, command: str, deadline: float) -> Json:
    """The answer of a command that a QEMU may have been built without, or the host has nothing to say to."""
    try:
        return await monitor.execute(command, deadline=deadline)
    except QmpError:
        return None


async def _optional_texts(monitor: Monitor, command: str, deadline: float) -> tuple[str, ...]:
    answer = await _optional(monitor, command, deadline)
    return tuple(item for item in as_list(answer or [], command) if isinstance(item, str))


def gic_versions_of(answer: Json, kind: str) -> tuple[int, ...]:
    """The versions in an answer of `query-gic-capabilities` that KVM (`kernel`) or QEMU alone (`emulated`) has."""
    found = [item.get("version") for item in objects(answer or [], "GIC versions") if item.get(kind) is True]
    return tuple(sorted(version for version in found if isinstance(version, int)))


def sev_bits_of(answer: Json) -> tuple[int, int] | None:
    """The two numbers in an answer of `query-sev-capabilities`."""
    if answer is None:
        return None
    content = as_object(answer, "SEV capabilities")
    position, lost = content.get("cbitpos"), content.get("reduced-phys-bits")
    return (position, lost) if isinstance(position, int) and isinstance(lost, int) else None


def _names(answer: Json) -> frozenset[str]:
    return frozenset(name for item in objects(answer, "a list of names") if " " not in (name := text_of(item, "name")))


def options_of(answer: Json) -> dict[str, frozenset[str]]:
    """The answer of `query-command-line-options`: option to its parameters."""
    return {text_of(item, "option"): _names(item.get("parameters")) for item in objects(answer, "options")}


#: Architecture to the end of the names of its processors' types, where it is not the architecture's own name.
_CPU_TYPES = {"aarch64": "arm"}


def machine_of(item: JsonObject, arch: str) -> Machine:
    """One answer of `query-machines`; `arch` is QEMU's target."""
    max_cpus = item.get("cpu-max")
    return Machine(
        name=text_of(item, "name"),
        alias=text_of(item, "alias"),
        max_cpus=max_cpus if isinstance(max_cpus, int) else 1,
        default_cpu=text_of(item, "default-cpu-type").removesuffix(f"-{_CPU_TYPES.get(arch, arch)}-cpu"),
        hotpluggable_cpus=item.get("hotpluggable-cpus") is True,
        numa=item.get("numa-mem-supported") is True,
        default_ram_id=text_of(item, "default-ram-id"),
        deprecated=item.get("deprecated") is True,
        default=item.get("is-default") is True,
        acpi=item.get("acpi") is True,
    )


def cpu_model_of(item: JsonObject) -> CpuModel:
    """One answer of `query-cpu-definitions`."""
    missing = item.get("unavailable-features")
    return CpuModel(
        name=text_of(item, "name"),
        unavailable=tuple(name for name in missing if isinstance(name, str)) if isinstance(missing, list) else (),
        alias_of=text_of(item, "alias-of"),
        deprecated=item.get("deprecated") is True,
        migratable=item.get("migration-safe") is True,
        judged=isinstance(missing, list),
    )


def _merged(tcg: QemuCapabilities, kvm: QemuCapabilities) -> QemuCapabilities:
    """What KVM says, with the CPUs of both."""
    return dataclasses.replace(
        kvm,
        cpu_models={**tcg.cpu_models, **kvm.cpu_models},
        cpu_expansions={**tcg.cpu_expansions, **kvm.cpu_expansions},
        static_models={**tcg.static_models, **kvm.static_models},
    )
