"""Running the commands of helper programs: what they are handed, what is done before, and where they write.

`launch` runs a program, `prepare` a step before it. What happens to a program afterwards is the matter of `helpers`.
"""

from __future__ import annotations

import contextlib
import os
import pwd
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from guesthouse.drivers.domain.files.store import INSTANCE_VARIABLE
from guesthouse.drivers.domain.helpers.features import SEARCH_PATH
from guesthouse.drivers.domain.helpers.traces import HOME_VARIABLE
from guesthouse.errors import LibvirtError, OperationFailedError
from guesthouse.host.child import run as run_child
from guesthouse.host.files import read_limited
from guesthouse.host.processes import Process, adopt, spawn
from guesthouse.host.procfs import start_time
from guesthouse.model.helper_programs import (
    Handed,
    HelperProgram,
    ListeningSocket,
    OpenFile,
    OwnLog,
    Preparation,
    SecretText,
)
from guesthouse.qemu.launch import listen

if TYPE_CHECKING:
    from guesthouse.drivers.domain.guests import Guests
    from guesthouse.drivers.domain.run import Run

_LAST_WORDS = 1024
_PID_LIMIT = 32


def _environment(driver: Guests, run: Run, program: HelperProgram) -> dict[str, str]:
    return {
        "LC_ALL": "C",
        "PATH": SEARCH_PATH,
        "HOME": os.path.expanduser("~"),
        INSTANCE_VARIABLE: driver.store.instance,
        HOME_VARIABLE: str(run.where.private),
        **program.environment,
    }


async def prepare(driver: Guests, run: Run, program: HelperProgram, step: Preparation) -> None:
    """Do what has to be done before a program starts, unless its result is there. Raises `OperationFailedError`."""
    directory = None if step.directory is None else Path(step.directory)
    if directory is not None and not await driver.in_thread(_is_empty_directory, directory, step.owner):
        return
    try:
        with contextlib.ExitStack() as cleanup:
            argv, fds = _hand_over(step.argv, cleanup)
            environment = _environment(driver, run, program)
            finished = await run_child(argv, deadline=step.deadline, env=environment, pass_fds=fds)
        if not finished.ok:
            said = (finished.errors or finished.output).decode("utf-8", "replace").strip()
            raise OperationFailedError(
                f"Could not run '{argv[0]}'. exitstatus: {finished.exit.code}; {said[-_LAST_WORDS:]}"
            )
    except BaseException:  # also where nobody waits any more: what is half prepared would be taken for prepared
        if directory is not None:
            await driver.in_thread(shutil.rmtree, directory, ignore_errors=True)
        raise


def _is_empty_directory(directory: Path, owner: str | None) -> bool:
    """Make a directory that only its owner can read, unless it is there; whether nothing is in it.

    The directory may be in a place where others write: a link in its stead is refused, and what has a second name
    somewhere else stays whose it is. Raises `OperationFailedError`.
    """
    try:
        directory.parent.mkdir(mode=0o711, parents=True, exist_ok=True)
        with contextlib.suppress(FileExistsError):
            directory.mkdir(mode=0o700)
        found = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
        try:
            names = os.listdir(found)
            if owner is not None:
                _give_away(found, names, pwd.getpwnam(owner))
        finally:
            os.close(found)
    except OSError as error:
        raise OperationFailedError(f"cannot use the directory '{directory}': {error.strerror}") from error
    return not names


def _give_away(directory: int, names: list[str], owner: pwd.struct_passwd) -> None:
    os.fchown(directory, owner.pw_uid, owner.pw_gid)
    for name in names:
        if os.stat(name, dir_fd=directory, follow_symlinks=False).st_nlink == 1:
            os.chown(name, owner.pw_uid, owner.pw_gid, dir_fd=directory, follow_symlinks=False)


async def launch(driver: Guests, run: Run, program: HelperProgram, log_path: Path) -> Process:
    """Run a program, which writes to the file `log_path`. Raises `OperationFailedError`."""
    environment = _environment(driver, run, program)
    with contextlib.ExitStack() as cleanup:
        log_fd = os.open(log_path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        cleanup.callback(os.close, log_fd)
        argv, fds = _hand_over(program.argv, cleanup, log_fd)
        if program.pid_file is not None:
            return await _run_into_background(program, argv, fds, environment)
        try:
            return spawn(argv, pass_fds=fds, env=environment, log_fd=log_fd)
        except OSError as error:
            raise _missing(program, argv[0], error.strerror or "unknown error") from error


def _hand_over(
    argv: tuple[str | Handed, ...], cleanup: contextlib.ExitStack, log_fd: int = -1
) -> tuple[list[str], list[int]]:
    """The words of the command line, and the descriptors that they name."""
    words, fds = [], []
    for word in argv:
        if isinstance(word, str):
            words.append(word)
            continue
        number = log_fd if isinstance(word.what, OwnLog) else _opened(word.what, cleanup)
        fds.append(number)
        words.append(f"{word.before}{number}{word.after}")
    return words, fds


def _opened(what: ListeningSocket | SecretText | OpenFile, cleanup: contextlib.ExitStack) -> int:
    if isinstance(what, ListeningSocket):
        listener = cleanup.enter_context(contextlib.closing(listen(Path(what.path))))
        listener.setblocking(True)  # these programs wait in accept
        return listener.fileno()
    if isinstance(what, SecretText):
        number = os.memfd_create("helper-secret")
        cleanup.callback(os.close, number)
        os.write(number, what.data)
        os.lseek(number, 0, os.SEEK_SET)
        return number
    return what.fd


async def _run_into_background(
    program: HelperProgram, argv: list[str], fds: list[int], environment: dict[str, str]
) -> Process:
    finished = await run_child(argv, deadline=program.deadline, env=environment, pass_fds=fds)
    if not finished.ok:
        said = finished.error_text[-_LAST_WORDS:] or str(finished.exit)
        raise OperationFailedError(f"Could not start '{argv[0]}': {said}")
    try:
        pid = int(read_limited(program.pid_file or "", _PID_LIMIT))
    except (OSError, ValueError, LibvirtError) as error:
        raise OperationFailedError(f"'{argv[0]}' did not tell its process id: {error}") from error
    process = adopt(pid, start_time(pid) or 0)
    if process is None:
        raise OperationFailedError(f"'{argv[0]}' ended at once")
    return process


def _missing(program: HelperProgram, name: str, reason: str) -> OperationFailedError:
    hint = f"install the package '{program.package}'" if program.package else "is it installed?"
    return OperationFailedError(f"Unable to find '{name}' binary: {reason}", hint=hint)
