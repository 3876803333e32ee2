"""The guest agent's protocol, sans-IO. The other side is a program in the guest, and hostile.

It looks like QMP, with three differences: there is no greeting, there are no ids (so one command at a time), and
nobody says whether an agent listens at all. What is written to a guest without an agent waits there; what an earlier
client asked may be answered late. So each conversation starts with a synchronisation:

    we      0xFF  {"execute": "guest-sync-delimited", "arguments": {"id": 7}}
    agent   ... anything left over ...  0xFF  {"return": 7}

The 0xFF that we send makes the agent drop a half-read command; the 0xFF that it sends makes us drop what came before.

Source: QEMU's `docs/interop/qemu-ga-ref.rst`, command guest-sync-delimited.
"""

from __future__ import annotations

from collections.abc import Mapping

from guesthouse.errors import Code, LibvirtError, Origin
from guesthouse.qemu.json_value import JsonObject, Sendable, encode
from guesthouse.qemu.qmp import QmpProtocolError, parse_object

#: The longest reply that is taken, in bytes: what libvirt takes.
REPLY_LIMIT = 10 * 1024 * 1024

_DELIMITER = b"\xff"


class AgentProtocolError(LibvirtError):
    """The guest sent what is no reply of an agent. The conversation must be synchronised anew."""

    code = Code.INTERNAL_ERROR
    domain = Origin.QEMU


class AgentDecoder:
    """Turns bytes from the guest into replies, at whatever boundaries they arrive."""

    def __init__(self, limit: int = REPLY_LIMIT) -> None:
        self._limit = limit
        self._buffer = bytearray()
        self._searched = 0

    def feed(self, data: bytes) -> list[JsonObject]:
        """The replies that `data` completes; what stands before a 0xFF is dropped. Raises `AgentProtocolError`.

        After an error the decoder has dropped everything and can be fed again.
        """
        self._buffer += data
        if (mark := self._buffer.rfind(_DELIMITER)) >= 0:
            del self._buffer[: mark + 1]
            self._searched = 0
        replies = []
        while (end := self._buffer.find(b"\n", self._searched)) >= 0:
            line = bytes(self._buffer[:end]).strip()
            del self._buffer[: end + 1]
            self._searched = 0
            if line:
                replies.append(self._parse(line))
        self._searched = len(self._buffer)
        if self._searched > self._limit:
            self.reset()
            raise AgentProtocolError(f"Agent reply exceeds buffer size ({self._limit} bytes)")
        return replies

    def reset(self) -> None:
        """Drop what is half read."""
        self._buffer.clear()
        self._searched = 0

    def _parse(self, line: bytes) -> JsonObject:
        try:
            if len(line) > self._limit:
                raise AgentProtocolError(f"Agent reply exceeds buffer size ({self._limit} bytes)")
            return parse_object(line)
        except QmpProtocolError as error:
            self.reset()
            raise AgentProtocolError(f"The guest agent sent no JSON object: {error.detail}") from error
        except AgentProtocolError:
            self.reset()
            raise


def encode_sync(id_: int) -> bytes:
    """The synchronisation, ready to send. `id_` is echoed by the agent; 63 bits."""
    return _DELIMITER + encode_agent_command("guest-sync-delimited", {"id": id_})


def encode_agent_command(name: str, arguments: Mapping[str, Sendable] | None) -> bytes:
    """A command as a line, ready to send."""
    command: dict[str, Sendable] = {"execute": name}
    if arguments:
        command["arguments"] = arguments
    return encode(command) + b"\n"
