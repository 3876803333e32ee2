"""A QEMU as it was recorded: capabilities from a file of monitor questions and answers, without a QEMU.

Libvirt's source package has such files in `tests/qemucapabilitiesdata`: `caps_VERSION_ARCH[+VARIANT].replies` holds
what one QEMU answered to the questions of a libvirt, as JSON values one after another, first with KVM, then with TCG.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from guesthouse.model.qemu_capabilities import KVM, TCG, CpuModel, QemuCapabilities, StaticModel
from guesthouse.qemu.json_value import Json, JsonObject, as_list, as_object, objects, text_of
from guesthouse.qemu.probe import cpu_model_of, gic_versions_of, machine_of, options_of, sev_bits_of, static_model_of
from guesthouse.qemu.schema import Schema

_BLANK: Final = re.compile(r"\s*")
_FILE: Final = re.compile(r"caps_(\d+)\.(\d+)\.(\d+)_(.+)\.replies")
_EMULATOR: Final = {"i686": "i386", "armv7l": "arm"}


class Known(dict[str, frozenset[str]]):
    """The properties of the types that were asked about; every other type has every property."""

    def get(self, key: str, _default: object = None) -> frozenset[str]:
        """The properties of a type."""
        return dict.get(self, key) or _Everything()

    def __contains__(self, _key: object) -> bool:
        return True


class _Everything(frozenset[str]):
    """Has every name."""

    def __contains__(self, _name: object) -> bool:
        return True


def newest(folder: Path, arch: str) -> Path:
    """The file of the newest QEMU of an architecture, such as `x86_64` or `x86_64+amdsev`."""
    found = [(tuple(map(int, match.groups()[:3])), path) for path in folder.glob("*.replies")
             if (match := _FILE.fullmatch(path.name)) and match[4] == arch]  # fmt: skip
    if not found:
        raise SystemExit(f"no QEMU of architecture {arch} is recorded in {folder}")
    return max(found)[1]


def capabilities(path: Path, arch: str, *, without: frozenset[str] = frozenset()) -> QemuCapabilities:
    """The QEMU of a file, for guests of `arch` in libvirt's words, lacking the devices `without`.

    Machine types have their short names, as if these were no aliases: so are recorded results made.
    """
    talk = _Talk(path)
    machines = {}
    for item in objects(talk.first("query-machines"), "machines"):
        name = text_of(item, "alias") or text_of(item, "name")
        machines[name] = machine_of({**item, "name": name, "alias": ""}, talk.arch)
        machines.setdefault(text_of(item, "name"), machine_of({**item, "alias": "", "is-default": False}, talk.arch))
    schema = talk.first("query-qmp-schema")
    types = frozenset(text_of(item, "name") for item in objects(talk.first("qom-list-types"), "types")) - without
    version = as_object(as_object(talk.first("query-version"), "the version").get("qemu"), "QEMU's version")
    major, minor, micro = (number if isinstance(number := version.get(part), int) else 0
                           for part in ("major", "minor", "micro"))  # fmt: skip
    return QemuCapabilities(
        binary=f"/usr/bin/qemu-system-{_EMULATOR.get(arch, arch)}",
        version=(major, minor, micro),
        package="",
        arch=talk.arch,
        kvm=True,
        machines=machines,
        devices=types,
        device_properties=Known(talk.properties("device-list-properties")),
        objects=types,
        object_properties=Known(talk.properties("qom-list-properties")),
        options=options_of(talk.first("query-command-line-options")),
        cpu_models=dict(zip((KVM, TCG)[-len(talk.cpu_models()) :], talk.cpu_models(), strict=False)),
        cpu_expansions=dict(zip((KVM, TCG), talk.expansions(), strict=False)),
        features=Schema(schema).found(),
        static_models=dict(zip((KVM, TCG), talk.static_models(), strict=False)) if talk.arch == "s390x" else {},
        gic_versions=gic_versions_of(talk.first("query-gic-capabilities"), "kernel"),
        sev_bits=sev_bits_of(talk.first("query-sev-capabilities") or None),
        tpm_models=talk.texts("query-tpm-models"),
        tpm_backends=talk.texts("query-tpm-types"),
    )


class _Talk:
    """The questions of a file, each with its answer; None where QEMU had none."""

    def __init__(self, path: Path) -> None:
        values = [as_object(value, "a message") for value in _values(path.read_text())]
        self._said = [(question, answer.get("return")) for question, answer in zip(values[::2], values[1::2])]  # noqa: B905
        self.arch = text_of(as_object(self.first("query-target"), "the target"), "arch")

    def all(self, command: str) -> list[Json]:
        return [answer for question, answer in self._said if question.get("execute") == command and answer is not None]

    def first(self, command: str) -> Json:
        return next(iter(self.all(command)), [])

    def texts(self, command: str) -> tuple[str, ...]:
        return tuple(item for item in as_list(self.first(command), command) if isinstance(item, str))

    def properties(self, command: str) -> dict[str, frozenset[str]]:
        """Of each type that exists; libvirt asks about a type under the name that it knows best."""
        return {
            text_of(as_object(question.get("arguments"), "arguments"), "typename"): frozenset(
                text_of(item, "name") for item in objects(answer, "properties")
            )
            for question, answer in self._said
            if question.get("execute") == command and answer is not None
        }

    def cpu_models(self) -> list[tuple[CpuModel, ...]]:
        return [
            tuple(cpu_model_of(item) for item in objects(answer, "models"))
            for answer in self.all("query-cpu-definitions")
        ]

    def static_models(self) -> Iterator[StaticModel]:
        """The best processor of each accelerator in terms of a model that never changes."""
        for question, answer in self._said:
            asked = as_object(question.get("arguments") or {}, "arguments")
            if question.get("execute") == "query-cpu-model-expansion" and asked.get("type") == "static" and answer:
                yield static_model_of(answer)

    def expansions(self) -> Iterator[dict[str, bool | int | str]]:
        """The best processor of each accelerator, without what would keep its guest on one host."""
        for question, answer in self._said:
            asked = as_object(question.get("arguments") or {}, "arguments")
            if question.get("execute") != "query-cpu-model-expansion" or answer is None:
                continue
            if "props" in as_object(asked.get("model"), "the model"):
                continue
            props: JsonObject = as_object(as_object(as_object(answer, "").get("model"), "").get("props") or {}, "")
            yield {name: value for name, value in sorted(props.items()) if isinstance(value, bool | int | str)}


def _values(text: str) -> Iterator[Json]:
    decoder, at = json.JSONDecoder(), 0
    while (at := _end_of_blank(text, at)) < len(text):
        value: Json
        value, at = decoder.raw_decode(text, at)
        yield value


def _end_of_blank(text: str, at: int) -> int:
    match = _BLANK.match(text, at)
    return match.end() if match else at
