"""Network cards: `card` is the element, its neighbours are the parts of it.

`netdev` makes the backend, by which packets leave QEMU; `source` is the other end; `checks` refuses in libvirt's words
what cannot be done; `passt` is the command line of the program that carries a user-mode network.
"""

from guesthouse.model.domain.devices.interface.card import (
    SOCKET_TYPES,
    TAP_TYPES,
    VIRTIO_MODELS,
    Interface,
    Mac,
    host_address,
)

__all__ = ["SOCKET_TYPES", "TAP_TYPES", "VIRTIO_MODELS", "Interface", "Mac", "host_address"]
