"""The named x86 processor models: which features each has, and how real processors are recognised.

`data/x86_cpus.json` holds the facts, one line a register of features and one line a model. A model that says `like` has
the features of that earlier model, plus `add`, minus `drop`. Names are libvirt's; `aliases` leads QEMU's and the
kernel's names to them. The order of features and models matters: documents list features in it, and of two models that
fit equally well the later one is taken.

Source of the names: libvirt's CPU map, which https://libvirt.org/formatdomain.html#cpu-model-and-topology points to;
source of the bits: Intel's and AMD's manuals on CPUID.
"""

from __future__ import annotations

import json
from collections.abc import Container, Iterable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final, NotRequired, TypedDict, cast

#: Architectures whose processors this table describes.
X86: Final = frozenset({"i686", "x86_64"})


class _ModelRecord(TypedDict):
    """One line of `models` in the data file."""

    name: str
    vendor: NotRequired[str]
    signatures: NotRequired[list[list[int | str]]]
    host: NotRequired[bool]
    guest: NotRequired[bool]
    compat: NotRequired[bool]
    like: NotRequired[str]
    add: NotRequired[list[str]]
    drop: NotRequired[list[str]]
    removed: NotRequired[list[str]]


class _Records(TypedDict):
    """The data file."""

    vendors: dict[str, str]
    features: dict[str, dict[str, int]]
    aliases: dict[str, str]
    immovable: list[str]
    models: list[_ModelRecord]


@dataclass(frozen=True, slots=True)
class Signature:
    """Family, model and stepping of a real processor, as CPUID leaf 1 gives them."""

    family: int
    model: int
    stepping: int = 0


@dataclass(frozen=True, slots=True)
class SignaturePattern:
    """The processors that a model stands for; `steppings` is None where any will do."""

    family: int
    model: int
    steppings: frozenset[int] | None = None

    def matches(self, signature: Signature) -> bool:
        """Whether `signature` is one of these processors."""
        if (self.family, self.model) != (signature.family, signature.model):
            return False
        return self.steppings is None or signature.stepping in self.steppings

    @property
    def example(self) -> Signature:
        """The first of these processors."""
        return Signature(self.family, self.model, min(self.steppings or {0}))


@dataclass(frozen=True, slots=True)
class CpuModel:
    """A named model. `host` and `guest` say whether it may be the answer when a host's or guest's CPU is named.

    `removed` are features that the model once had: a definition must say explicitly that it lacks them. `compat` means
    that a guest's CPU of this model is checked against the host's features rather than against QEMU's own report.
    """

    name: str
    vendor: str | None
    features: frozenset[str]
    signatures: tuple[SignaturePattern, ...] = ()
    host: bool = True
    guest: bool = True
    compat: bool = False
    removed: tuple[str, ...] = ()

    def matches(self, signature: Signature | None) -> bool:
        """Whether this is the model of processors with `signature`."""
        return signature is not None and any(pattern.matches(signature) for pattern in self.signatures)


@dataclass(frozen=True, slots=True)
class FeatureBit:
    """Where the processor reports a feature: a CPUID register, or a model specific register (`msr`)."""

    msr: bool
    leaf: int
    subleaf: int
    register: str
    bit: int


class CpuTable:
    """All features and models; see `table`."""

    def __init__(self, records: _Records) -> None:
        self.vendors = records["vendors"]
        self.bits = {
            name: _feature_bit(register, bit)
            for register, bits in records["features"].items()
            for name, bit in bits.items()
        }
        self.aliases = records["aliases"]
        self.immovable = frozenset(records["immovable"])
        self._position = {name: index for index, name in enumerate(self.bits)}
        self.models: dict[str, CpuModel] = {}
        for record in records["models"]:
            self.models[record["name"]] = self._model(record)

    def _model(self, record: _ModelRecord) -> CpuModel:
        like = record.get("like")
        base = self.models[like].features if like else frozenset[str]()
        return CpuModel(
            record["name"],
            record.get("vendor"),
            (base | frozenset(record.get("add", ()))) - frozenset(record.get("drop", ())),
            tuple(_pattern(signature) for signature in record.get("signatures", ())),
            record.get("host", True),
            record.get("guest", True),
            record.get("compat", False),
            tuple(record.get("removed", ())),
        )

    def canonical(self, feature: str) -> str:
        """The name under which a feature that QEMU or the kernel names is listed here."""
        if feature in self.bits:
            return feature
        return self.aliases.get(feature, feature)

    def ordered(self, features: Iterable[str]) -> list[str]:
        """The known ones of `features`, in the table's order."""
        return sorted((name for name in features if name in self._position), key=self._position.__getitem__)

    def vendor_of(self, text: str) -> str | None:
        """The vendor with this CPUID text, such as `GenuineIntel`."""
        return next((name for name, cpuid in self.vendors.items() if cpuid == text), None)

    def registers(self) -> tuple[set[tuple[int, int]], set[int]]:
        """The CPUID leaves with their subleaves, and the model specific registers, that hold any feature."""
        leaves = {(where.leaf, where.subleaf) for where in self.bits.values() if not where.msr}
        return leaves, {where.leaf for where in self.bits.values() if where.msr}

    def decode_registers(self, cpuid: dict[tuple[int, int], dict[str, int]], msrs: dict[int, int]) -> frozenset[str]:
        """The features that are set in these register values; `msrs` holds 64 bits a register."""

        def present(where: FeatureBit) -> bool:
            if where.msr:
                shift = 32 if where.register == "edx" else 0
                return bool(msrs.get(where.leaf, 0) >> (where.bit + shift) & 1)
            return bool(cpuid.get((where.leaf, where.subleaf), {}).get(where.register, 0) >> where.bit & 1)

        return frozenset(name for name, where in self.bits.items() if present(where))

    def without_report(self, feature: str, enabled: Container[str]) -> bool:
        """Whether a processor with these features can have `feature`, which is in a model specific register.

        Such registers exist where another feature says so. False for features that CPUID reports.
        """
        where = self.bits[feature]
        return where.msr and _REGISTER_NEEDS.get(where.leaf, "vmx") in enabled

    def from_kernel_flags(self, flags: Iterable[str]) -> frozenset[str]:
        """The features that the `flags` line of `/proc/cpuinfo` names, whose spelling differs in dashes and dots."""
        known = {_plain(name): name for name in self.bits}
        known |= {_plain(alias): name for alias, name in self.aliases.items()}
        known |= _KERNEL_NAMES
        return frozenset(known[plain] for plain in map(_plain, flags) if plain in known)


#: The feature that says that a model specific register is there; the others describe VMX.
_REGISTER_NEEDS: Final = {0x10A: "arch-capabilities", 0xCF: "core-capability"}

#: Flags of `/proc/cpuinfo` whose names differ from ours in more than punctuation.
_KERNEL_NAMES: Final = {
    "tscdeadlinetimer": "tsc-deadline",
    "pclmulqdq": "pclmuldq",
    "nonstoptsc": "invtsc",
}


def _plain(name: str) -> str:
    return name.replace("-", "").replace("_", "").replace(".", "").lower()


def _feature_bit(register: str, bit: int) -> FeatureBit:
    leaf, subleaf, name = register.split(".")
    if leaf == "msr":
        return FeatureBit(True, int(subleaf, 16), 0, name, bit)
    return FeatureBit(False, int(leaf, 16), int(subleaf, 16), name, bit)


def _pattern(record: list[int | str]) -> SignaturePattern:
    family, model = int(record[0]), int(record[1])
    if len(record) < 3:
        return SignaturePattern(family, model)
    steppings: set[int] = set()
    for part in str(record[2]).split(","):
        first, _, last = part.partition("-")
        steppings.update(range(int(first), int(last or first) + 1))
    return SignaturePattern(family, model, frozenset(steppings))


@cache
def table() -> CpuTable:
    """The table, read once."""
    text = Path(__file__).with_name("data").joinpath("x86_cpus.json").read_text("utf-8")
    return CpuTable(cast(_Records, json.loads(text)))
