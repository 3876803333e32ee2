"""What a definition keeps though nothing is done with it, as libvirt keeps it; a start says so in the log.

The reasons stand in `docs/decisions/0007-kept-and-not-done.md`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from guesthouse.model.domain.definition import Domain
from guesthouse.model.domain.features import Features


def of(domain: Domain) -> list[str]:
    """The elements of this guest that do nothing, as a person would point at them."""
    found = [element for element, is_there in _ELEMENTS.items() if is_there(domain)]
    features = domain.features
    if features is None:
        return found
    found += [element for element, is_there in _FEATURES.items() if is_there(features)]
    if domain.type != "kvm" and features.ioapic is not None and features.ioapic.driver == "kvm":
        found.append("<ioapic driver='kvm'> without KVM")
    return found


_ELEMENTS: Final[dict[str, Callable[[Domain], bool]]] = {
    "<idmap>": lambda domain: domain.idmap is not None,
    "<on_lockfailure>": lambda domain: domain.on_lockfailure is not None,
    "<catchup> of a timer": lambda domain: any(timer.catchup is not None for timer in domain.clock.timers),
}
_FEATURES: Final[dict[str, Callable[[Features], bool]]] = {
    "<hap>": lambda features: features.hap is not None,
    "<viridian>": lambda features: features.viridian,
    "<privnet>": lambda features: features.privnet,
}
