"""The program that touches the files of a pool, so that storage that hangs stops a process that can be killed.

Standard library only, started by `guesthouse.qemu.volume_agent` with a socket as its first descriptor. A message is a
length in four bytes and JSON: `{"id", "do", ...}`. What takes an instant is done at once (`volume_files`) and answered
with `{"id", "result"}` or `{"id", "error": [number, text]}`; a long answer comes in parts. For what takes longer
(`volume_jobs`) a process is forked, which costs much less than to start one; it speaks on a socket that came with the
request, and so does its stream. The program ends when its socket is closed.
"""

from __future__ import annotations

import array
import json
import os
import signal
import socket
import struct
import sys
from pathlib import Path

LENGTH = struct.Struct("!I")

Fields = dict[str, object]


def main() -> None:
    """Serve until the socket is closed."""
    sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
    from guesthouse.qemu import volume_files as files
    from guesthouse.qemu import volume_jobs  # noqa: F401 - loaded before the forks that need it

    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    with socket.socket(fileno=int(sys.argv[1])) as daemon:
        while (received := take(daemon)) is not None:
            message, descriptors = received
            number, name = message.pop("id"), str(message.pop("do"))
            try:
                if descriptors:
                    start(daemon, name, message, descriptors)
                elif name == "survey":
                    survey(daemon, number, message)
                else:
                    answer(daemon, {"id": number, "result": files.QUICK[name](**message)})
            except OSError as error:
                answer(daemon, {"id": number, "error": [error.errno or 0, error.strerror or str(error)]})
            finally:
                for descriptor in descriptors:
                    os.close(descriptor)


def take(daemon: socket.socket) -> tuple[Fields, list[int]] | None:
    """The next request with the descriptors that came with it, or None at the end."""
    descriptors = array.array("i")
    head = b""
    while len(head) < LENGTH.size:
        data, ancillary, _flags, _from = daemon.recvmsg(LENGTH.size - len(head), socket.CMSG_SPACE(8))
        for level, kind, content in ancillary:
            if (level, kind) == (socket.SOL_SOCKET, socket.SCM_RIGHTS):
                descriptors.frombytes(content[: len(content) - len(content) % descriptors.itemsize])
        if not data:
            return None
        head += data
    [left] = LENGTH.unpack(head)
    parts = []
    while left:
        data = daemon.recv(left)
        if not data:
            return None
        parts.append(data)
        left -= len(data)
    return json.loads(b"".join(parts)), descriptors.tolist()


def answer(daemon: socket.socket, message: Fields) -> None:
    """Send one message."""
    data = json.dumps(message).encode()
    daemon.sendall(LENGTH.pack(len(data)) + data)


def survey(daemon: socket.socket, number: object, fields: Fields) -> None:
    """List a directory: first what is new or changed, in parts, then its sizes and all names."""
    from guesthouse.qemu import volume_files as files

    path = str(fields["path"])
    found = files.survey(path, fresh=bool(fields["fresh"]))
    changed = found["changed"]
    for batch in files.batches(path, changed if isinstance(changed, list) else [], seen=True):
        answer(daemon, {"id": number, "part": batch})
    answer(daemon, {"id": number, "result": found})


def start(daemon: socket.socket, name: str, fields: Fields, descriptors: list[int]) -> None:
    """Do something long in a process of its own."""
    if os.fork():
        return
    daemon.close()
    from guesthouse.qemu.volume_bytes import Control
    from guesthouse.qemu.volume_jobs import JOBS

    control = Control(descriptors[0])
    code = 0
    try:
        control.tell({"pid": os.getpid()})
        control.tell({"result": JOBS[name](control, *descriptors[1:], **fields)})
    except OSError as error:
        code = 1
        try:
            control.tell({"error": [error.errno or 0, error.strerror or str(error)]})
        except OSError:
            code = 2
    except Exception as error:  # whatever it is: who waits is told, and this process ends
        code = 3
        control.tell({"error": [0, f"{type(error).__name__}: {error}"]})
    finally:
        os._exit(code)


if __name__ == "__main__":
    main()
