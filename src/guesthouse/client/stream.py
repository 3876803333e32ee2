"""A stream of the blocking shell: the bytes that a console, a screenshot or a volume sends and takes."""

from __future__ import annotations

from guesthouse.rpc.client import StreamData, StreamEnd, StreamFailure, StreamHole
from guesthouse.rpc.packet import STREAM_CHUNK

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from guesthouse.client.connection import Connection
    from guesthouse.rpc.client import ClientProtocol

    StreamEvent = StreamData | StreamHole | StreamEnd | StreamFailure


class Stream:
    """An open stream: data both ways, then `finish`, or `abort`. `waiting` is where its connection puts what comes."""

    def __init__(
        self, connection: Connection, protocol: ClientProtocol, serial: int, waiting: list[StreamEvent]
    ) -> None:
        self._connection = connection
        self._protocol = protocol
        self._serial = serial
        self._waiting = waiting
        self._closed = False
        self.ended = False

    def send(self, data: bytes) -> None:
        """Send data, of any length."""
        for start in range(0, len(data), STREAM_CHUNK):
            chunk = data[start : start + STREAM_CHUNK]
            self._connection.send(self._protocol.encode_stream_data(self._serial, chunk))

    def send_hole(self, length: int) -> None:
        """Send a hole of `length` bytes, on a stream that was opened as sparse."""
        self._connection.send(self._protocol.encode_stream_hole(self._serial, length))

    def check(self) -> None:
        """Take in what has come while nothing was awaited. Raises the failure of a stream that was broken off."""
        self._connection.check()
        self.received()

    def pieces(self) -> list[bytes | int]:
        """What comes next: data, and holes by their length; empty at the end."""
        while not self._waiting and not self.ended:
            self._connection.pump()
        found: list[bytes | int] = []
        while self._waiting and isinstance(self._waiting[0], StreamData | StreamHole):
            event = self._waiting.pop(0)
            if isinstance(event, StreamHole):
                found.append(event.length)
            elif isinstance(event, StreamData) and event.data:
                found.append(event.data)
            else:
                self.ended = True
        if not found:
            self.received()
        return found

    def received(self) -> list[bytes]:
        """The data that has come so far, holes as zeros; `ended` tells whether more can come. Raises its failure."""
        chunks: list[bytes] = []
        while self._waiting:
            event = self._waiting.pop(0)
            if isinstance(event, StreamData) and event.data:
                chunks.append(event.data)
            elif isinstance(event, StreamHole):
                chunks.append(bytes(event.length))
            elif isinstance(event, StreamFailure):
                self._forget()
                raise event.error
            else:
                self.ended = True
        return chunks

    def receive(self) -> bytes:
        """The next data; empty at the end."""
        while not (chunks := self.received()) and not self.ended:
            self._connection.pump()
        return b"".join(chunks)

    def finish(self) -> None:
        """Close in order: everything was sent and read."""
        self._close(self._protocol.encode_stream_finish)

    def abort(self) -> None:
        """Break off."""
        self._close(self._protocol.encode_stream_abort)

    def _close(self, encode: Callable[[int], bytes]) -> None:
        if self._closed:
            return
        self._waiting.clear()
        try:
            self._connection.send(encode(self._serial))
            while True:
                while not self._waiting:
                    self._connection.pump()
                event = self._waiting.pop(0)
                if isinstance(event, StreamFailure):
                    raise event.error
                if isinstance(event, StreamEnd):
                    return
        except KeyError:  # the daemon had closed it already
            return
        finally:
            self._forget()

    def _forget(self) -> None:
        self.ended = self._closed = True
        self._connection.forget_stream(self._serial)
