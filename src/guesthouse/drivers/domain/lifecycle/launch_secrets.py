"""What the processor says of a guest whose memory it encrypts, and the secret that the owner gives it before it runs.

Source: https://libvirt.org/kbase/launch_security_sev.html; QEMU's `qapi/misc-i386.json`.
"""

from __future__ import annotations

from typing import Final

from guesthouse.drivers.domain.guest import Guest
from guesthouse.drivers.domain.lifecycle.control import modifying
from guesthouse.drivers.domain.parameters import Known, Values
from guesthouse.drivers.domain.states import State
from guesthouse.drivers.domain.typed import STRING, UINT, ULLONG, Param
from guesthouse.errors import InternalError, OperationInvalidError, OperationUnsupportedError
from guesthouse.qemu.json_value import Sendable, as_int, as_object, text_of

#: The parameters of the call that gives the secret.
KNOWN: Final[Known] = {"sev-secret-header": STRING, "sev-secret": STRING, "sev-secret-set-address": ULLONG}

_MEASURED: Final = ("sev", "sev-snp")
_NUMBERS: Final = (("sev-api-major", "api-major"), ("sev-api-minor", "api-minor"), ("sev-build-id", "build-id"))


async def measured(guest: Guest) -> list[Param]:
    """The measurement and the firmware's version. Empty for a guest whose memory is not encrypted by SEV."""
    security = guest.current.launch_security
    if security is None or security.type not in _MEASURED:
        return []
    guest.live()
    async with modifying(guest, "query"):
        talk = guest.live().talk()
        measure = as_object(await talk.execute("query-sev-launch-measure"), "the reply of query-sev-launch-measure")
        facts = as_object(await talk.execute("query-sev"), "the reply of query-sev")
    found: list[Param] = [("sev-measurement", STRING, text_of(measure, "data"))]
    found += [(name, UINT, as_int(facts.get(key, 0), key)) for name, key in _NUMBERS]
    if "snp-policy" in facts:
        found.append(("sev-snp-policy", ULLONG, as_int(facts["snp-policy"], "snp-policy")))
    elif "policy" in facts:
        found.append(("sev-policy", UINT, as_int(facts["policy"], "policy")))
    return found


async def inject(guest: Guest, values: Values) -> None:
    """Put the owner's secret into the guest's memory, before it runs. Raises libvirt's refusals."""
    security = guest.current.launch_security
    if security is None or security.type != "sev":
        raise OperationUnsupportedError("setting a launch secret is only supported in SEV-enabled domains")
    if "sev-secret" not in values or "sev-secret-header" not in values:
        raise InternalError("Both secret and the secret header are required")
    guest.live()
    async with modifying(guest):
        run = guest.live()
        if guest.state is not State.PAUSED:
            raise OperationInvalidError("domain must be in a paused state")
        arguments: dict[str, Sendable] = {
            "packet-header": str(values["sev-secret-header"]),
            "secret": str(values["sev-secret"]),
        }
        if "sev-secret-set-address" in values:
            arguments["gpa"] = int(str(values["sev-secret-set-address"]))
        await run.talk().execute("sev-inject-launch-secret", arguments)
