"""How a virtio card works, what carries it on the host, and what assigns a host's card.

Source: https://libvirt.org/formatdomain.html#setting-nic-driver-specific-options.
"""

from __future__ import annotations

from guesthouse.model.binding import element, one, opt
from guesthouse.model.kinds import ABSOLUTE_PATH, ON_OFF, TEXT, UINT, one_of
from guesthouse.model.qemu_objects import Props, without_none


@element("host", omit_empty=True)
class HostOffloads:
    """What the host may leave to the card."""

    csum: bool | None = opt(ON_OFF)
    gso: bool | None = opt(ON_OFF)
    tso4: bool | None = opt(ON_OFF)
    tso6: bool | None = opt(ON_OFF)
    ecn: bool | None = opt(ON_OFF)
    ufo: bool | None = opt(ON_OFF)
    mrg_rxbuf: bool | None = opt(ON_OFF)


@element("guest", omit_empty=True)
class GuestOffloads:
    """What the guest may leave to the card."""

    csum: bool | None = opt(ON_OFF)
    tso4: bool | None = opt(ON_OFF)
    tso6: bool | None = opt(ON_OFF)
    ecn: bool | None = opt(ON_OFF)
    ufo: bool | None = opt(ON_OFF)


@element("driver")
class AssignmentDriver:
    """What assigns a card of the host to the guest: always VFIO, in a variant that a kernel may have."""

    name: str | None = opt(one_of("vfio"))
    model: str | None = opt(TEXT)


@element("driver", omit_empty=True)
class InterfaceDriver:
    """How a virtio card works. `name` says whether the kernel (vhost) or QEMU moves its packets."""

    name: str | None = opt(one_of("qemu", "vhost", "vfio"))
    model: str | None = opt(TEXT)
    txmode: str | None = opt(one_of("iothread", "timer"))
    ioeventfd: bool | None = opt(ON_OFF)
    event_idx: bool | None = opt(ON_OFF)
    queues: int | None = opt(UINT)
    rx_queue_size: int | None = opt(UINT)
    tx_queue_size: int | None = opt(UINT)
    rss: bool | None = opt(ON_OFF)
    rss_hash_report: bool | None = opt(ON_OFF)
    iommu: bool | None = opt(ON_OFF)
    ats: bool | None = opt(ON_OFF)
    packed: bool | None = opt(ON_OFF)
    page_per_vq: bool | None = opt(ON_OFF)
    host: HostOffloads | None = one(HostOffloads)
    guest: GuestOffloads | None = one(GuestOffloads)

    def parsed(self) -> None:
        """One queue is what every card has."""
        if self.queues in (0, 1):
            self.queues = None

    def offloads(self) -> Props:
        """The properties for the offloads."""
        host, guest = self.host, self.guest
        props: Props = {}
        if host is not None:
            props |= {
                "csum": host.csum,
                "gso": host.gso,
                "host_tso4": host.tso4,
                "host_tso6": host.tso6,
                "host_ecn": host.ecn,
                "host_ufo": host.ufo,
                "mrg_rxbuf": host.mrg_rxbuf,
            }
        if guest is not None:
            props |= {
                "guest_csum": guest.csum,
                "guest_tso4": guest.tso4,
                "guest_tso6": guest.tso6,
                "guest_ecn": guest.ecn,
                "guest_ufo": guest.ufo,
            }
        return without_none(props)


@element("backend", omit_empty=True)
class Backend:
    """What carries a user-mode network (QEMU itself, or the program passt), and the device files of taps and vhost."""

    type: str | None = opt(one_of("default", "passt"))
    tap: str | None = opt(ABSOLUTE_PATH)
    vhost: str | None = opt(ABSOLUTE_PATH)
    log_file: str | None = opt(TEXT, "logFile")

    def parsed(self) -> None:
        """The default is not named."""
        if self.type == "default":
            self.type = None
