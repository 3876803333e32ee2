"""Disk images, by `qemu-img`: what one is, and making one. Each call is a child process with a deadline.

An image may lie on storage that hangs, and what is in it may be hostile (a backing file is a path that somebody
wrote): so nothing is opened in the daemon, and QEMU's own parsers run where they can be killed.

Source: QEMU's `docs/tools/qemu-img.rst`; `ImageInfo` in its `qapi/block-core.json`.
"""

from __future__ import annotations

import asyncio
import json
import os
from dataclasses import dataclass
from pathlib import Path

from guesthouse.errors import Code, LibvirtError, Origin
from guesthouse.host.child import check, run
from guesthouse.host.files import temporary_name
from guesthouse.host.mortal import mortal
from guesthouse.qemu.json_value import Json, JsonObject, as_int, as_object, text_of

#: How long `qemu-img` may take for what reads or writes only headers, in seconds.
HEADER_DEADLINE = 10.0

#: How long copying a whole small image (firmware variables) may take, in seconds.
COPY_DEADLINE = 30.0

QEMU_IMG = "qemu-img"

_ENVIRONMENT = {"PATH": os.environ.get("PATH", "/usr/bin:/bin"), "LC_ALL": "C"}


class ImageError(LibvirtError):
    """An image cannot be read or made."""

    code = Code.INTERNAL_ERROR
    domain = Origin.STORAGE


@dataclass(frozen=True, slots=True)
class ImageInfo:
    """What an image is. Sizes in bytes: `virtual_size` as the guest sees it, `actual_size` on the host's disk.

    `backing` is the path of the image that it lies on, `backing_name` what the header calls that; `backing_format` may
    be empty.
    `compat` is a qcow2 image's version (`1.1`), or empty.
    """

    path: str
    format: str
    virtual_size: int
    actual_size: int
    cluster_size: int
    backing: str = ""
    backing_format: str = ""
    compat: str = ""
    encrypted: bool = False
    corrupt: bool = False
    lazy_refcounts: bool = False
    backing_name: str = ""


async def info(path: str | Path, format_: str | None = None, *, deadline: float = HEADER_DEADLINE) -> ImageInfo:
    """What the image at `path` is. It may be in use by a guest.

    Give `format_` wherever it is known: a guest with a raw disk can write any header into it, and probing would believe
    it. Raises `ImageError`, `guesthouse.host.child.ChildError` (missing program, deadline).
    """
    argv = [QEMU_IMG, "info", "--force-share", "--output=json", *_format(format_), _plain(path)]
    finished = await run(argv, deadline=deadline, env=_ENVIRONMENT)
    if not finished.ok:
        raise ImageError(f"cannot read image '{path}': {_complaint(finished.error_text)}")
    try:
        answer: Json = json.loads(finished.output)
    except ValueError as error:
        raise ImageError(f"cannot read image '{path}': {QEMU_IMG} printed no JSON") from error
    return _info(as_object(answer, "qemu-img's answer"))


async def create(
    path: str | Path,
    format_: str,
    size: int | None,
    *,
    backing: str | None = None,
    backing_format: str | None = None,
    options: dict[str, str] | None = None,
    deadline: float = HEADER_DEADLINE,
) -> None:
    """Make an image of `size` bytes, or of its backing image's size with None. Nobody else may read it.

    Nothing is made any more once the daemon is dead, when the next one may be removing it. `options` are those of the
    format (`compat`, `preallocation`…). Raises `ImageError`, `ChildError`.
    """
    argv = [*mortal(), QEMU_IMG, "create", "-q", "-f", format_]
    if backing is not None:
        if backing_format is None:
            raise ImageError(f"backing image '{backing}' needs a format", hint="name it: raw, qcow2…")
        argv += ["-b", backing, "-F", backing_format]
    for name, value in (options or {}).items():
        argv += ["-o", f"{name}={_escape(value)}"]
    argv += [_plain(path), *([] if size is None else [str(size)])]
    finished = await run(argv, deadline=deadline, env=_ENVIRONMENT, umask=0o077)
    if not finished.ok:
        raise ImageError(f"cannot create image '{path}': {_complaint(finished.error_text)}")


async def create_nvram(
    path: Path, template: Path, template_format: str, format_: str, *, deadline: float = COPY_DEADLINE
) -> None:
    """Make a guest's firmware variables from their template, whole or not at all; an existing file is replaced.

    The copy is made by `qemu-img`, which also turns one format into another. Raises `ChildError`, OSError.
    """
    temporary = path.with_name(temporary_name())
    argv = [QEMU_IMG, "convert", "-q", "-f", template_format, "-O", format_, _plain(template), _plain(temporary)]
    flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    await asyncio.to_thread(path.parent.mkdir, mode=0o711, parents=True, exist_ok=True)
    try:
        descriptor = await asyncio.to_thread(os.open, temporary, flags, 0o600)
        try:
            await check(argv, deadline=deadline, env=_ENVIRONMENT)
            await asyncio.wait_for(asyncio.to_thread(os.fsync, descriptor), deadline)
        finally:
            os.close(descriptor)
        await asyncio.to_thread(os.rename, temporary, path)
    except BaseException:  # also where nobody waits any more: half a file must not stay
        await asyncio.shield(asyncio.to_thread(temporary.unlink, missing_ok=True))
        raise


def _format(format_: str | None) -> list[str]:
    return [] if format_ is None else ["-f", format_]


def _plain(path: str | Path) -> str:
    """A path that `qemu-img` takes for nothing but a path: `nbd:x` and `json:{}` are file names here."""
    return os.path.abspath(path)


def _escape(value: str) -> str:
    return value.replace(",", ",,")


def _complaint(text: str) -> str:
    lines = [line.removeprefix("qemu-img: ") for line in text.splitlines()]
    return "; ".join(lines)[:1000] or "qemu-img said nothing"


def _info(answer: JsonObject) -> ImageInfo:
    specific = answer.get("format-specific")
    data = specific.get("data") if isinstance(specific, dict) else None
    details = data if isinstance(data, dict) else {}
    return ImageInfo(
        path=text_of(answer, "filename"),
        format=text_of(answer, "format"),
        virtual_size=as_int(answer.get("virtual-size"), "the image's size"),
        actual_size=as_int(answer.get("actual-size", 0), "the size on disk"),
        cluster_size=as_int(answer.get("cluster-size", 0), "the cluster size"),
        backing=text_of(answer, "full-backing-filename") or text_of(answer, "backing-filename"),
        backing_format=text_of(answer, "backing-filename-format"),
        compat=text_of(details, "compat"),
        encrypted=answer.get("encrypted") is True,
        corrupt=details.get("corrupt") is True,
        lazy_refcounts=details.get("lazy-refcounts") is True,
        backing_name=text_of(answer, "backing-filename"),
    )
