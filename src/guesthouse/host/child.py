"""A helper program that runs, says something and ends: under a deadline, with limits on what it may say.

Whatever can block (an image on a hung network file system, a hook, a slow tool) runs in such a child, so that it can be
killed. A child is a process group of its own, and is killed together with all that it started in it. What a child
leaves running when it ends by itself (a hook that starts a service) is left alone, and nobody waits for it.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from guesthouse.errors import Code, LibvirtError
from guesthouse.host.processes import Exit, Process, spawn

#: How much a child may print, in bytes, each on its output and its errors.
OUTPUT_LIMIT = 4 * 1024 * 1024

_READ_SIZE = 65536


class ChildError(LibvirtError):
    """A helper program could not be run, or ended badly."""

    code = Code.INTERNAL_ERROR


class ChildTimeoutError(ChildError):
    """A helper program did not end in time and was killed."""

    code = Code.OPERATION_TIMEOUT


@dataclass(frozen=True, slots=True)
class Finished:
    """A child that ended: how, and what it printed."""

    exit: Exit
    output: bytes
    errors: bytes

    @property
    def ok(self) -> bool:
        """Whether it ended with code 0."""
        return self.exit.ok

    @property
    def error_text(self) -> str:
        """What it printed on its errors, as text without surrounding blanks."""
        return self.errors.decode("utf-8", "replace").strip()


async def run(
    argv: Sequence[str],
    *,
    deadline: float,
    data: bytes = b"",
    output_limit: int = OUTPUT_LIMIT,
    env: Mapping[str, str] | None = None,
    cwd: str | None = None,
    pass_fds: Sequence[int] = (),
    umask: int = 0o002,
    heard: Callable[[bytes], None] | None = None,
) -> Finished:
    """Run a program to its end, with `data` on its input, at most `deadline` seconds.

    With `heard` the output is handed over as it comes instead of being collected, and the deadline counts from the last
    of it: it is one of silence.

    It is killed with all that it started when the deadline passes (`ChildTimeoutError`), when it prints more than
    `output_limit` (`ChildError`), or when the caller is cancelled. Raises `ChildError` when it cannot be started.
    A bad exit code is no error here: look at `Finished.exit`.
    """
    loop = asyncio.get_running_loop()
    with contextlib.ExitStack() as cleanup:
        stdin = _input(data, cleanup)
        output, output_end = _Pipe.open(loop, cleanup, output_limit)
        errors, errors_end = _Pipe.open(loop, cleanup, output_limit)
        try:
            process = spawn(
                argv,
                pass_fds=pass_fds,
                env=env,
                cwd=cwd,
                stdin_fd=stdin,
                stdout_fd=output_end,
                log_fd=errors_end,
                umask=umask,
            )
        except OSError as error:
            raise ChildError(f"Cannot run '{argv[0]}': {error.strerror}", hint="is it installed?") from error
        finally:
            os.close(output_end)
            os.close(errors_end)
        cleanup.callback(_bury, process)
        try:
            async with asyncio.timeout(deadline) as limit:
                if heard is not None:
                    output.heard = heard
                    output.alive = lambda: limit.reschedule(loop.time() + deadline)
                await _until_ended(process, output, errors)
                output.alive = None
        except TimeoutError:
            raise ChildTimeoutError(f"'{argv[0]}' did not end within {deadline:g} seconds and was killed") from None
        output.drain()
        errors.drain()
        if output.overflown or errors.overflown:
            raise ChildError(f"'{argv[0]}' printed more than {output_limit} bytes and was killed")
        return Finished(process.poll() or Exit(), bytes(output.content), bytes(errors.content))


async def check(
    argv: Sequence[str], *, deadline: float, env: Mapping[str, str] | None = None, umask: int = 0o002
) -> bytes:
    """Run a program that must end well and return its output. Raises `ChildError` with its last words otherwise."""
    finished = await run(argv, deadline=deadline, env=env, umask=umask)
    if not finished.ok:
        said = f": {finished.error_text[-1024:]}" if finished.errors.strip() else ""
        raise ChildError(f"Child process ({' '.join(argv)}) unexpected {finished.exit}{said}")
    return finished.output


async def _until_ended(process: Process, output: _Pipe, errors: _Pipe) -> None:
    """Until the process has ended (what it leaves in its pipes is there then), or one pipe overflows."""
    done: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def finish(_: object = None) -> None:
        if not done.done():
            done.set_result(None)

    output.on_overflow = errors.on_overflow = finish
    process.watch(finish)
    await done


def _bury(process: Process) -> None:
    """Kill the group of a process that may have ended, and let go of it as soon as it has."""
    if process.poll() is None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.watch(Process.close)
    else:
        process.close()


def _input(data: bytes, cleanup: contextlib.ExitStack) -> int | None:
    """A descriptor that reads as `data`: in memory, so that nothing waits for a child that does not read."""
    if not data:
        return None
    descriptor = os.memfd_create("child-input")
    cleanup.callback(os.close, descriptor)
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]
    os.lseek(descriptor, 0, os.SEEK_SET)
    return descriptor


class _Pipe:
    """Our end of a pipe that a child writes to, collecting up to `limit` bytes."""

    def __init__(self, loop: asyncio.AbstractEventLoop, descriptor: int, limit: int) -> None:
        self._loop = loop
        self._descriptor = descriptor
        self._limit = limit
        self.content = bytearray()
        self.overflown = False
        self.on_overflow: Callable[[], None] = self.close
        #: Who gets what comes instead of `content`, and who is told each time that the child lives.
        self.heard: Callable[[bytes], None] | None = None
        self.alive: Callable[[], None] | None = None
        loop.add_reader(descriptor, self._readable)

    @classmethod
    def open(cls, loop: asyncio.AbstractEventLoop, cleanup: contextlib.ExitStack, limit: int) -> tuple[_Pipe, int]:
        """A pipe: our end, and the descriptor of the child's, which the caller closes once the child has it."""
        ours, theirs = os.pipe2(os.O_CLOEXEC)
        os.set_blocking(ours, False)
        pipe = cls(loop, ours, limit)
        cleanup.callback(pipe.close)
        return pipe, theirs

    def drain(self) -> None:
        """Take what is in the pipe, without waiting for more."""
        while self._descriptor >= 0 and self._read():
            pass

    def close(self) -> None:
        """Let go of our end."""
        if self._descriptor >= 0:
            self._loop.remove_reader(self._descriptor)
            os.close(self._descriptor)
            self._descriptor = -1

    def _readable(self) -> None:
        self._read()

    def _read(self) -> bool:
        try:
            data = os.read(self._descriptor, _READ_SIZE)
        except BlockingIOError:
            return False
        if not data:
            self.close()
            return False
        if self.heard is not None:
            self.heard(data)
            if self.alive is not None:
                self.alive()
            return True
        self.content += data
        if len(self.content) > self._limit:
            self.overflown = True
            self.close()
            self.on_overflow()
            return False
        return True
