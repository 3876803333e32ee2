"""Naming, comparing and joining processors. Expected documents and texts are those of libvirtd 11.3."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guesthouse.errors import Code, LibvirtError
from guesthouse.model.cpu_definition import CpuDefinition, PhysicalAddress, Topology, format_cpu, parse_cpu
from guesthouse.model.cpu_from_qemu import blockers, host_model, known_features
from guesthouse.model.cpu_matching import (
    IDENTICAL,
    INCOMPATIBLE,
    SUPERSET,
    Processor,
    baseline,
    compare,
    decode,
    expand,
    features_of,
)
from guesthouse.model.cpu_models import Signature, SignaturePattern, table
from guesthouse.model.qemu_capabilities import TCG, CpuModel, QemuCapabilities

PENRYN = "<cpu><arch>x86_64</arch><model>Penryn</model></cpu>"
NEHALEM = "<cpu><arch>x86_64</arch><model>Nehalem</model><vendor>Intel</vendor><feature name='aes'/></cpu>"

#: What `virsh capabilities` of libvirtd 11.3 shows of a Sapphire Rapids whose host hides its tile instructions.
HOST_DOCUMENT = """\
<cpu>
  <arch>x86_64</arch>
  <model>Skylake-Server-v1</model>
  <vendor>Intel</vendor>
  <microcode version='1'/>
  <signature family='6' model='207' stepping='2'/>
  <topology sockets='1' dies='1' clusters='1' cores='2' threads='1'/>
  <maxphysaddr mode='emulate' bits='48'/>
  <feature name='osxsave'/>
  <feature name='hypervisor'/>
  <feature name='ss'/>
  <feature name='avx512vnni'/>
  <feature name='invtsc'/>
  <feature name='rdctl-no'/>
</cpu>
"""


def host(document: str = HOST_DOCUMENT) -> CpuDefinition:
    return parse_cpu(document)


def guest(body: str, match: str = "exact") -> CpuDefinition:
    return parse_cpu(f"<cpu mode='custom' match='{match}'>{body}</cpu>")


def test_the_table_is_whole() -> None:
    cpus = table()
    assert len(cpus.models) == 150
    assert len(cpus.bits) == 364
    for model in cpus.models.values():
        assert model.features <= set(cpus.bits), model.name
        assert set(model.removed) <= set(cpus.bits), model.name
        assert model.vendor is None or model.vendor in cpus.vendors
    assert set(cpus.aliases.values()) <= set(cpus.bits)
    assert cpus.immovable <= set(cpus.bits)
    assert (
        len({(where.msr, where.leaf, where.subleaf, where.register, where.bit) for where in cpus.bits.values()}) == 364
    )


@pytest.mark.parametrize(
    ("model", "has", "lacks"),
    [
        ("486", {"fpu", "vme", "pse"}, {"cx8"}),
        ("qemu64", {"svm", "lm", "cx16"}, {"ssse3"}),
        ("Haswell-noTSX", {"avx2", "bmi2"}, {"hle", "rtm", "spec-ctrl"}),
        ("Skylake-Server-IBRS", {"spec-ctrl", "avx512f"}, {"mpx"}),
        ("EPYC-Milan", {"svm", "ibrs"}, {"vaes", "avx512f"}),
    ],
)
def test_models_have_the_features_of_their_processors(model: str, has: set[str], lacks: set[str]) -> None:
    features = table().models[model].features
    assert has <= features
    assert not lacks & features


def test_versions_are_what_they_stand_for() -> None:
    models = table().models
    assert models["Haswell-v2"].features == models["Haswell-noTSX"].features
    assert models["EPYC-v2"].features == models["EPYC-IBPB"].features


def test_signatures() -> None:
    skylake, cascade = table().models["Skylake-Server"], table().models["Cascadelake-Server"]
    assert skylake.matches(Signature(6, 85, 4))
    assert not skylake.matches(Signature(6, 85, 7))
    assert cascade.matches(Signature(6, 85, 7))
    assert not skylake.matches(None)
    assert SignaturePattern(6, 15).matches(Signature(6, 15, 11))


def test_names_of_qemu_and_of_the_kernel() -> None:
    cpus = table()
    assert cpus.canonical("sse3") == "pni"
    assert cpus.canonical("pclmulqdq") == "pclmuldq"
    assert cpus.canonical("no-such-feature") == "no-such-feature"
    flags = "pni pclmulqdq sse4_1 sha_ni tsc_deadline_timer avx512_vbmi2 avx512_vpopcntdq lahf_lm nonstop_tsc wp cpuid"
    assert cpus.from_kernel_flags(flags.split()) == {
        *(
            "pni",
            "pclmuldq",
            "sse4.1",
            "sha-ni",
            "tsc-deadline",
            "avx512vbmi2",
            "avx512-vpopcntdq",
            "lahf_lm",
            "invtsc",
        ),
    }


def test_registers_are_decoded_bit_by_bit() -> None:
    found = table().decode_registers(
        {(1, 0): {"ecx": 1 << 25 | 1, "edx": 1 << 4}, (7, 0): {"ebx": 1 << 5}}, {0x10A: 1 | 1 << 8}
    )
    assert found == {"pni", "aes", "tsc", "avx2", "rdctl-no", "taa-no"}


def test_a_host_is_named_by_what_it_has() -> None:
    """A host's model never has more than the host, even where its signature matches."""
    models = table().models
    sapphire = models["SapphireRapids"]
    assert sapphire.signatures
    signature = Signature(sapphire.signatures[0].family, sapphire.signatures[0].model, 8)
    whole = decode(Processor(sapphire.features | {"ht"}, "Intel", signature), host=True)
    assert whole.model in ("SapphireRapids", "SapphireRapids-v1")
    assert list(whole.features) == ["ht"]
    without_tiles = decode(
        Processor(sapphire.features - {"amx-tile", "amx-int8", "amx-bf16"}, "Intel", signature), host=True
    )
    assert without_tiles.model not in ("SapphireRapids", "SapphireRapids-v1")
    assert features_of(without_tiles) == sapphire.features - {"amx-tile", "amx-int8", "amx-bf16"}


def test_broken_transactional_memory_is_not_named() -> None:
    features = table().models["Haswell"].features
    for stepping, named in ((2, False), (4, True)):
        cpu = decode(Processor(features, "Intel", Signature(6, 63, stepping)), host=True)
        assert ("hle" in features_of(cpu)) is named


def test_no_model_fits() -> None:
    with pytest.raises(LibvirtError, match="Cannot find suitable CPU model") as caught:
        decode(Processor(frozenset({"fpu"})), host=True)
    assert caught.value.code == Code.INTERNAL_ERROR


@given(st.sampled_from(sorted(table().models)), st.sets(st.sampled_from(sorted(table().bits)), max_size=8))
def test_what_is_named_for_a_guest_is_what_was_asked(name: str, extra: set[str]) -> None:
    model = table().models[name]
    features = (model.features ^ extra) or model.features
    cpu = decode(Processor(features, model.vendor), host=False)
    assert features_of(cpu) == features


@given(st.sampled_from(sorted(table().models)))
def test_a_processor_is_identical_to_itself(name: str) -> None:
    vendor = table().models[name].vendor
    cpu = CpuDefinition(arch="x86_64", model=name, vendor=vendor, features={})
    assert compare(cpu, cpu, fail=True) == IDENTICAL


@pytest.mark.parametrize(
    ("cpu", "result", "reason"),
    [
        (guest("<model>Penryn</model>"), SUPERSET, ""),
        (guest("<model>Penryn</model>", "strict"), INCOMPATIBLE, "Host CPU does not strictly match guest CPU: Extra"),
        (
            guest("<model>EPYC</model>"),
            INCOMPATIBLE,
            "Host CPU does not provide required features: clflushopt, sha-ni, svm, cr8legacy, sse4a",
        ),
        (
            guest("<model>Penryn</model><feature name='aes' policy='forbid'/>"),
            INCOMPATIBLE,
            "Host CPU provides forbidden features: aes",
        ),
        (guest("<model>Penryn</model><feature name='svm' policy='require'/>"), INCOMPATIBLE, "required features: svm"),
        (guest("<model>Penryn</model><feature name='svm' policy='optional'/>"), SUPERSET, ""),
        (guest("<model>Penryn</model><feature name='svm' policy='force'/>"), SUPERSET, ""),
        (guest("<model>qemu64</model><feature name='svm' policy='disable'/>"), SUPERSET, ""),
        (
            guest("<model>Penryn</model><vendor>AMD</vendor>"),
            INCOMPATIBLE,
            "host CPU vendor does not match required CPU vendor AMD",
        ),
        (
            parse_cpu("<cpu><arch>aarch64</arch><model>Penryn</model></cpu>"),
            INCOMPATIBLE,
            "CPU arch aarch64 does not match host arch",
        ),
        (parse_cpu("<cpu mode='host-passthrough'/>"), SUPERSET, ""),
        (host(), IDENTICAL, ""),
    ],
)
def test_comparing(cpu: CpuDefinition, result: int, reason: str) -> None:
    assert compare(host(), cpu, fail=False) == result
    if result == INCOMPATIBLE:
        with pytest.raises(LibvirtError) as caught:
            compare(host(), cpu, fail=True)
        assert caught.value.code == Code.CPU_INCOMPATIBLE
        assert caught.value.message.startswith("the CPU is incompatible with host CPU: ")
        assert reason in caught.value.message


def test_comparing_with_an_unknown_host() -> None:
    assert compare(None, guest("<model>486</model>"), fail=False) == INCOMPATIBLE
    with pytest.raises(LibvirtError, match="unknown host CPU"):
        compare(CpuDefinition(arch="x86_64"), guest("<model>486</model>"), fail=True)


@pytest.mark.parametrize("body", ["<model>Nope</model>", "<model>Penryn</model><feature name='zz'/>"])
def test_comparing_with_unknown_names(body: str) -> None:
    with pytest.raises(LibvirtError, match=r"internal error: Unknown CPU (model Nope|feature zz)") as caught:
        compare(host(), guest(body), fail=False)
    assert caught.value.code == Code.INTERNAL_ERROR


def joined(*documents: str) -> str:
    return format_cpu(baseline([parse_cpu(document, host=True) for document in documents]))


def test_baseline_of_one() -> None:
    assert joined(PENRYN) == "<cpu mode='custom' match='exact'>\n  <model fallback='forbid'>Penryn</model>\n</cpu>\n"
    assert joined(NEHALEM) == (
        "<cpu mode='custom' match='exact'>\n"
        "  <model fallback='forbid'>Nehalem</model>\n"
        "  <vendor>Intel</vendor>\n"
        "  <feature policy='require' name='aes'/>\n"
        "</cpu>\n"
    )


def test_baseline_of_two() -> None:
    expected = "<cpu mode='custom' match='exact'>\n  <model fallback='allow'>Penryn</model>\n</cpu>\n"
    assert joined(PENRYN, NEHALEM) == expected


def test_baseline_expanded() -> None:
    cpu = expand(baseline([parse_cpu(NEHALEM, host=True)]))
    assert list(cpu.features) == sorted(cpu.features)
    assert set(cpu.features) == table().models["Nehalem"].features | {"aes"}


def test_baseline_without_what_cannot_migrate() -> None:
    document = PENRYN.replace("</cpu>", "<feature name='invtsc'/></cpu>")
    assert "invtsc" in baseline([parse_cpu(document, host=True)]).features
    assert "invtsc" not in baseline([parse_cpu(document, host=True)], migratable=True).features


@pytest.mark.parametrize(
    ("documents", "code", "text"),
    [
        ([], Code.INVALID_ARG, "no CPUs given"),
        ([PENRYN.replace("x86_64", "aarch64")], Code.NO_SUPPORT, "cannot compute baseline CPU of aarch64 architecture"),
        (
            [NEHALEM, PENRYN.replace("</cpu>", "<vendor>AMD</vendor></cpu>").replace("Penryn", "EPYC")],
            Code.OPERATION_FAILED,
            "CPU vendors do not match",
        ),
        (
            [PENRYN, PENRYN.replace("</cpu>", "<vendor>AMD</vendor></cpu>")],
            Code.OPERATION_FAILED,
            "CPU vendor Intel of model Penryn differs from vendor AMD",
        ),
        ([PENRYN.replace("</cpu>", "<vendor>Acme</vendor></cpu>")], Code.OPERATION_FAILED, "Unknown CPU vendor Acme"),
        ([PENRYN.replace("Penryn", "Nope")], Code.INTERNAL_ERROR, "Unknown CPU model Nope"),
    ],
)
def test_no_baseline(documents: list[str], code: int, text: str) -> None:
    with pytest.raises(LibvirtError) as caught:
        joined(*documents)
    assert (caught.value.code, text in caught.value.message) == (code, True)


def test_baseline_of_nothing_in_common() -> None:
    cpus = [parse_cpu(PENRYN, host=True)]
    with pytest.raises(LibvirtError, match="CPUs are incompatible"):
        baseline(cpus, available=())
    with pytest.raises(LibvirtError, match="no CPU model specified at index 1"):
        baseline([*cpus, CpuDefinition()])


def test_documents_are_written_as_they_were_read() -> None:
    assert format_cpu(host()) == HOST_DOCUMENT
    text = (
        "<cpu mode='custom' match='strict' check='partial'>\n"
        "  <model fallback='allow' vendor_id='Fabrikam Inc'>Penryn</model>\n"
        "  <topology sockets='1' dies='2' clusters='1' cores='4' threads='2'/>\n"
        "  <maxphysaddr mode='passthrough' limit='39'/>\n"
        "  <feature policy='disable' name='lm'/>\n"
        "</cpu>\n"
    )
    cpu = parse_cpu(text)
    assert cpu.topology == Topology(1, 2, 1, 4, 2)
    assert cpu.physical_address == PhysicalAddress("passthrough", limit=39)
    assert format_cpu(cpu) == text
    assert format_cpu(parse_cpu("<cpu mode='host-model'/>")) == "<cpu mode='host-model'>\n</cpu>\n"


@pytest.mark.parametrize(
    ("document", "code", "text"),
    [
        ("<cpu", Code.XML_DETAIL, "Couldn't find end of Start Tag cpu"),
        ("<foo/>", Code.XML_ERROR, "cpu"),
        (
            "<cpu match='exact'><arch>x86_64</arch><model>486</model></cpu>",
            Code.XML_ERROR,
            "'arch' element cannot be used",
        ),
        ("<cpu mode='custom'><arch>x86_64</arch></cpu>", Code.CONFIG_UNSUPPORTED, "Attribute mode is only allowed"),
        ("<cpu><arch>x86_64</arch></cpu>", Code.XML_ERROR, "Missing CPU model name"),
        ("<cpu mode='bogus'/>", Code.CONFIG_UNSUPPORTED, "Invalid mode attribute 'bogus'"),
        ("<cpu match='zz'/>", Code.XML_ERROR, "Invalid value for attribute 'match' in element 'cpu': 'zz'."),
        ("<cpu><vendor>Intel</vendor></cpu>", Code.XML_ERROR, "CPU vendor specified without CPU model"),
        ("<cpu><feature name='aes'/></cpu>", Code.XML_ERROR, "Non-empty feature list specified without CPU model"),
        ("<cpu><model>486</model><feature name=''/></cpu>", Code.XML_ERROR, "Invalid CPU feature name"),
        (
            "<cpu><model>486</model><feature name='aes' policy='zz'/></cpu>",
            Code.CONFIG_UNSUPPORTED,
            "Invalid CPU feature policy",
        ),
        (
            "<cpu><model>486</model><feature name='aes'/><feature name='aes'/></cpu>",
            Code.XML_ERROR,
            "CPU feature 'aes' specified more than once",
        ),
        ("<cpu><model fallback='x'>486</model></cpu>", Code.CONFIG_UNSUPPORTED, "Invalid fallback attribute"),
        ("<cpu><model vendor_id='short'>486</model></cpu>", Code.XML_ERROR, "vendor_id must be exactly 12 characters"),
        ("<cpu><model vendor_id='with,a comma'>486</model></cpu>", Code.XML_ERROR, "vendor id is invalid"),
        ("<cpu><topology sockets='0' cores='1' threads='1'/></cpu>", Code.XML_ERROR, "attribute 'sockets'"),
        ("<cpu><topology sockets='1' cores='1'/></cpu>", Code.XML_ERROR, "Missing required attribute 'threads'"),
        ("<cpu><maxphysaddr/></cpu>", Code.XML_ERROR, "Missing required attribute 'mode'"),
        ("<cpu><maxphysaddr mode='emulate' limit='4'/></cpu>", Code.CONFIG_UNSUPPORTED, "attribute 'limit' is only"),
    ],
)
def test_documents_that_are_refused(document: str, code: int, text: str) -> None:
    with pytest.raises(LibvirtError) as caught:
        parse_cpu(document)
    assert (caught.value.code, text in caught.value.message) == (code, True), caught.value.message


def test_a_host_without_architecture_is_refused() -> None:
    with pytest.raises(LibvirtError, match="Missing CPU architecture"):
        parse_cpu("<cpu><model>486</model></cpu>", host=True)


@pytest.mark.parametrize("document", ["<cpu><bogus/></cpu>", "<cpu bogus='1'/>", "<cpu mode='bogus'/>"])
def test_validation(document: str) -> None:
    with pytest.raises(LibvirtError) as caught:
        parse_cpu(document, validate=True)
    assert caught.value.code == Code.XML_INVALID_SCHEMA
    assert parse_cpu(HOST_DOCUMENT, validate=True).model == "Skylake-Server-v1"


def qemu(**best: bool | int | str) -> QemuCapabilities:
    return QemuCapabilities(
        binary="/usr/bin/qemu-system-x86_64",
        version=(10, 0, 2),
        package="",
        arch="x86_64",
        kvm=False,
        machines={},
        devices=frozenset(),
        device_properties={},
        objects=frozenset(),
        object_properties={},
        options={},
        cpu_models={TCG: (CpuModel("Penryn", ("sse3", "pclmulqdq")), CpuModel("486"), CpuModel("max"))},
        cpu_expansions={TCG: best} if best else {},
    )


def test_what_qemu_tells() -> None:
    penryn = dict.fromkeys(table().models["Penryn"].features, True)
    best = qemu(**penryn, sse3=True, aes=True, avx=False, vendor="GenuineIntel", family=6, model=23, stepping=0)
    assert blockers(best, TCG) == {"Penryn": ("pclmuldq", "pni"), "486": (), "max": ()}
    assert {"pni", "avx"} <= known_features(best, TCG)
    cpu = host_model(best, TCG)
    assert cpu is not None
    assert (cpu.model, cpu.vendor, cpu.fallback) == ("Penryn", "Intel", "forbid")
    assert cpu.features == {"aes": "require", "pclmuldq": "disable", "pni": "disable"}
    assert host_model(qemu(), TCG) is None
    assert host_model(best, "kvm") is None
