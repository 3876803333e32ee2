"""Settings of the host that guests' definitions and command lines depend on: libvirt's `qemu.conf`.

The names are the keys of that file, the values its defaults (https://libvirt.org/drvqemu.html and the comments of
`qemu.conf`). Who reads the file resolves what falls back to another key, such as `default_tls_x509_cert_dir`.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class HostSettings:
    """What an administrator decides for all guests of a host.

    `*_tls` says whether connections of a kind are encrypted unless a definition says otherwise; `*_tls_x509_cert_dir`
    is where their certificates lie, `*_tls_x509_verify` whether clients must show one, and `*_tls_x509_secret_uuid`
    names the secret that opens the key. `hugetlbfs_mount` pairs sizes of pages, in KiB, with the directories where they
    are mounted; the first is the host's default size. `environment` is what QEMU is told about the host's sound.
    """

    vnc_tls: bool = False
    vnc_tls_x509_cert_dir: str = "/etc/pki/qemu"
    vnc_tls_x509_verify: bool = False
    vnc_tls_x509_secret_uuid: str | None = None
    vnc_password: str | None = None
    vnc_sasl: bool = False
    vnc_sasl_dir: str | None = None
    vnc_auto_unix_socket: bool = False
    vnc_allow_host_audio: bool = False
    spice_listen: str = "127.0.0.1"
    spice_tls: bool = False
    spice_tls_x509_cert_dir: str = "/etc/pki/qemu"
    spice_password: str | None = None
    spice_sasl: bool = False
    spice_sasl_dir: str | None = None
    spice_auto_unix_socket: bool = False
    rdp_listen: str = "127.0.0.1"
    rdp_tls_x509_cert_dir: str = "/etc/pki/qemu"
    chardev_tls: bool = False
    chardev_tls_x509_cert_dir: str = "/etc/pki/qemu"
    chardev_tls_x509_verify: bool = False
    chardev_tls_x509_secret_uuid: str | None = None
    nbd_tls: bool = False
    nbd_tls_x509_cert_dir: str = "/etc/pki/qemu"
    nbd_tls_x509_secret_uuid: str | None = None
    vxhs_tls: bool = False
    vxhs_tls_x509_cert_dir: str = "/etc/pki/qemu"
    vxhs_tls_x509_secret_uuid: str | None = None
    nographics_allow_host_audio: bool = False
    memory_backing_dir: str = "/var/lib/libvirt/qemu/ram"
    hugetlbfs_mount: tuple[tuple[int, str], ...] = ((2048, "/dev/hugepages"),)
    dump_guest_core: bool = False
    gluster_debug_level: int = 4
    storage_use_nbdkit: bool = False
    pr_helper: str = "/usr/bin/qemu-pr-helper"
    seccomp_sandbox: bool = True
    virtiofsd_debug: bool = False
    environment: tuple[tuple[str, str], ...] = ()


#: The settings of a host whose `qemu.conf` says nothing.
UNCHANGED = HostSettings()
