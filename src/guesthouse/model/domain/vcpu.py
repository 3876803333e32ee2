"""A guest's virtual processors by number: `<vcpu>`.

Format: https://libvirt.org/formatdomain.html#cpu-allocation
"""

from __future__ import annotations

from typing import Final

from guesthouse.errors import UnsupportedConfigError, XmlError
from guesthouse.model.binding import content, element, opt
from guesthouse.model.kinds import CPUSET, UINT, one_of

#: Beyond this no machine type of QEMU goes, and libvirt's own bitmaps end.
MOST: Final = 16384


@element("vcpu")
class Vcpu:
    """`maximum` processors, of which `current` are online at boot (all, where it is None).

    `cpuset` names the host's processors that the guest may run on.
    """

    placement: str | None = opt(one_of("static", "auto"))
    cpuset: str | None = opt(CPUSET)
    current: int | None = opt(UINT)
    maximum: int = content(UINT)

    def parsed(self) -> None:
        """Check the numbers against each other."""
        if self.maximum == 0:
            raise XmlError("invalid domain vCPU count: 0", hint="give the guest at least one processor")
        if self.maximum > MOST:
            raise UnsupportedConfigError(
                f"Maximum CPUs greater than specified machine type limit {MOST}", hint=f"{self.maximum} were asked for"
            )
        if self.current is not None:
            if self.current == 0:
                raise XmlError("current vcpus count must be an integer", hint="it must be 1 or more")
            if self.current > self.maximum:
                raise XmlError(
                    f"maxvcpus must not be less than current vcpus ({self.maximum} < {self.current})",
                )
            if self.current == self.maximum:
                self.current = None
        if self.placement == "auto":
            raise UnsupportedConfigError(
                "vcpu placement 'auto' is not supported", hint="it needs numad; use placement='static'"
            )

    @property
    def online(self) -> int:
        """How many processors are online at boot."""
        return self.maximum if self.current is None else self.current
