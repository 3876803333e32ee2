"""The bytes of volumes to and from local files: `vol-upload`, `vol-download`."""

from __future__ import annotations

import os

from guesthouse.cli.failure import CommandError
from guesthouse.cli.grammar import Command, Option, flag
from guesthouse.cli.interrupt import Interruptible
from guesthouse.cli.volumes import find, pool_of_it, volume
from guesthouse.errors import LibvirtError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from guesthouse.cli.context import Context
    from guesthouse.cli.grammar import Arguments
    from guesthouse.cli.progress import Bar
    from guesthouse.client.stream import Stream

_STEP = 1 << 20
_MOST = 2**64 - 1
_REGULAR, _BLOCK = 0o100000, 0o060000


def _range(args: Arguments) -> tuple[int, int]:
    """Offset and length, in bytes; a length of -1 is all, as virsh has it."""
    offset = args.unsigned("offset", _MOST) or 0
    length = args.number("length", -1, _MOST) or 0
    return offset, length % 2**64


def run_upload(context: Context, args: Arguments) -> None:
    """Send a local file into a volume."""
    from guesthouse.client.volumes import SPARSE

    offset, length = _range(args)
    found = find(context, args)
    name, path = args.need("vol"), args.need("file")
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        raise CommandError(f"cannot read {path}") from None
    try:
        with context.during(f"cannot upload to volume {name}"):
            stream = found.upload(offset, length, SPARSE if args.has("sparse") else 0)
        _send(context, args, stream, descriptor, name)
    finally:
        os.close(descriptor)


def _send(context: Context, args: Arguments, stream: Stream, descriptor: int, name: str) -> None:
    from guesthouse.cli.progress import Bar

    bar = Bar(context, "upload")
    total = os.fstat(descriptor).st_size
    done = 0
    try:
        with Interruptible():
            with context.during(f"cannot send data to volume {name}"):
                for piece in _pieces(descriptor, sparse=args.has("sparse")):
                    if isinstance(piece, int):
                        stream.send_hole(piece)
                        done += piece
                    else:
                        stream.send(piece)
                        done += len(piece)
                    stream.check()
                    bar.tell(done, total)
            with context.during(f"cannot close volume {name}"):
                stream.finish()
    except KeyboardInterrupt:
        bar.end()
        _give_up(stream)
        raise CommandError(f"upload to volume {name} was interrupted") from None
    finally:
        bar.end()


def _pieces(descriptor: int, *, sparse: bool) -> Iterator[bytes | int]:
    """The bytes of a file; with `sparse` its holes by their length. What cannot tell is all data."""
    position = 0
    while True:
        end = _MOST
        if sparse:
            start, end = _data(descriptor, position)
            if start > position:
                yield start - position
                position = start
                os.lseek(descriptor, position, os.SEEK_SET)
        data = os.read(descriptor, min(_STEP, end - position)) if end > position else b""
        if not data:
            return
        position += len(data)
        yield data


def _data(descriptor: int, position: int) -> tuple[int, int]:
    """Where the next data of a file begins and ends; both are the file's end where nothing but a hole follows."""
    try:
        start = os.lseek(descriptor, position, os.SEEK_DATA)
        end = os.lseek(descriptor, start, os.SEEK_HOLE)
    except OSError as error:
        if error.errno == 6:  # ENXIO: a hole up to the end
            size = os.lseek(descriptor, 0, os.SEEK_END)
            return size, size
        return position, _MOST
    os.lseek(descriptor, start, os.SEEK_SET)
    return start, end


def run_download(context: Context, args: Arguments) -> None:
    """Write what a volume holds into a local file. One that the command has made goes again if that fails."""
    from guesthouse.client.volumes import SPARSE

    offset, length = _range(args)
    found = find(context, args)
    name, path = args.need("vol"), args.need("file")
    descriptor, created = _target(path)
    whole = False
    try:
        with context.during(f"cannot download from volume {name}"):
            size = found.info(1).allocation if context.ours else 0
            stream = found.download(offset, length, SPARSE if args.has("sparse") else 0)
        _receive(context, stream, descriptor, name, min(length or size, max(size - offset, 0)))
        whole = True
    finally:
        os.close(descriptor)
        if created and not whole:
            os.unlink(path)


def _target(path: str) -> tuple[int, bool]:
    """The file to write to, and whether it is new."""
    try:
        return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666), True
    except FileExistsError:
        pass
    except OSError:
        raise CommandError(f"cannot create {path}") from None
    try:
        return os.open(path, os.O_WRONLY | os.O_TRUNC | os.O_CLOEXEC), False
    except OSError:
        raise CommandError(f"cannot create {path}") from None


def _receive(context: Context, stream: Stream, descriptor: int, name: str, total: int) -> None:
    from guesthouse.cli.progress import Bar

    bar = Bar(context, "download")
    try:
        with Interruptible():
            with context.during(f"cannot receive data from volume {name}"):
                _write(stream, descriptor, bar, total)
            with context.during(f"cannot close volume {name}"):
                stream.finish()
    except KeyboardInterrupt:
        bar.end()
        _give_up(stream)
        raise CommandError(f"download from volume {name} was interrupted") from None
    finally:
        bar.end()


def _write(stream: Stream, descriptor: int, bar: Bar, total: int) -> None:
    plain = os.fstat(descriptor).st_mode & 0o170000 == _REGULAR
    position = 0
    while pieces := stream.pieces():
        for piece in pieces:
            if isinstance(piece, int):
                _skip(descriptor, piece, plain=plain)
                position += piece
            else:
                _write_all(descriptor, piece)
                position += len(piece)
        bar.tell(position, total)
    if plain:
        os.ftruncate(descriptor, position)


def _skip(descriptor: int, length: int, *, plain: bool) -> None:
    if plain:
        os.lseek(descriptor, length, os.SEEK_CUR)
        return
    nothing = bytes(_STEP)
    while length:
        _write_all(descriptor, nothing[:length])
        length -= min(length, _STEP)


def _write_all(descriptor: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]


def _give_up(stream: Stream) -> None:
    try:  # noqa: SIM105 - contextlib is not worth its import
        stream.abort()
    except LibvirtError:
        pass  # the connection is gone, and the stream with it


def _options(what: str) -> tuple[Option, ...]:
    return (
        volume(),
        Option("file", "string", f"the local file {what}", required=True, positional=True, complete="file"),
        pool_of_it(),
        Option("offset", "int", "where in the volume to begin, in bytes"),
        Option("length", "int", "how many bytes at most"),
        flag("sparse", "holes stay holes"),
    )


COMMANDS = (
    Command(
        "vol-upload",
        "volume",
        "write a local file into a volume",
        run_upload,
        _options("to read"),
        description="Write the content of a local file into a volume. An upload that is broken off leaves the volume "
        "as it was, where it is a file that no running guest has.",
    ),
    Command(
        "vol-download",
        "volume",
        "write what a volume holds into a local file",
        run_download,
        _options("to write"),
        description="Write the bytes of a volume into a local file.",
    ),
)
