"""The doctor's checks, on hosts made of files."""

from __future__ import annotations

from pathlib import Path

import pytest

from guesthouse.host.doctor import FAIL, PASS, WARN, Finding, examine

GOOD = {
    "proc/cpuinfo": "processor: 0\nflags\t\t: fpu vmx sse\n",
    "dev/kvm": "",
    "dev/vhost-net": "",
    "dev/net/tun": "",
    "sys/module/kvm_intel/parameters/nested": "Y\n",
    "sys/module/kvm_amd/parameters/sev": "Y\n",
    "sys/fs/cgroup/cgroup.controllers": "cpuset cpu io memory pids\n",
    "sys/kernel/iommu_groups/0/type": "DMA\n",
    "usr/share/qemu/firmware/50-edk2.json": "{}",
    "bin/qemu-system-x86_64": "",
    "bin/qemu-img": "",
    "bin/dnsmasq": "",
    "bin/nft": "",
}


def host(root: Path, files: dict[str, str]) -> dict[str, Finding]:
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        path.chmod(0o755)
    return {one.name: one for one in examine(root, "x86_64", str(root / "bin"))}


def test_a_good_host(tmp_path: Path) -> None:
    findings = host(tmp_path, GOOD)
    assert {one.outcome for one in findings.values()} == {PASS}, findings


@pytest.mark.parametrize(
    ("missing", "name", "outcome"),
    [
        ("dev/kvm", "/dev/kvm exists", FAIL),
        ("dev/vhost-net", "/dev/vhost-net exists", WARN),
        ("dev/net/tun", "/dev/net/tun exists", WARN),
        ("proc/cpuinfo", "hardware virtualization", FAIL),
        ("sys/module/kvm_intel/parameters/nested", "nested virtualization", WARN),
        ("sys/module/kvm_amd/parameters/sev", "secure guests", WARN),
        ("sys/kernel/iommu_groups/0/type", "IOMMU for device assignment", WARN),
        ("usr/share/qemu/firmware/50-edk2.json", "UEFI firmware", WARN),
        ("bin/qemu-system-x86_64", "qemu-system-x86_64", FAIL),
    ],
)
def test_what_is_missing_is_told_with_its_remedy(tmp_path: Path, missing: str, name: str, outcome: str) -> None:
    findings = host(tmp_path, {path: text for path, text in GOOD.items() if path != missing})
    assert findings[name].outcome == outcome
    assert findings[name].hint
    others = {one.outcome for other, one in findings.items() if other != name}
    assert others == {PASS}


def test_nesting_that_is_off(tmp_path: Path) -> None:
    findings = host(tmp_path, {**GOOD, "sys/module/kvm_intel/parameters/nested": "N\n"})
    assert findings["nested virtualization"].outcome == WARN
    assert "kvm_intel nested=1" in findings["nested virtualization"].hint


def test_cgroups_of_version_1(tmp_path: Path) -> None:
    files = {path: text for path, text in GOOD.items() if "cgroup" not in path}
    rows = (
        "#subsys_name hierarchy num_cgroups enabled\ncpu\t1\t1\t1\ncpuset\t1\t1\t1\nblkio\t1\t1\t1\nmemory\t0\t1\t0\n"
    )
    findings = host(tmp_path, {**files, "proc/cgroups": rows})
    outcomes = {name: one.outcome for name, one in findings.items() if name.startswith("cgroup")}
    assert outcomes == {
        "cgroup controller 'cpu'": PASS,
        "cgroup controller 'cpuset'": PASS,
        "cgroup controller 'memory'": WARN,
        "cgroup controller 'io'": PASS,
    }
