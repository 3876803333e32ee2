"""What an image lies on (`<backingStore>`), and what it is being copied to (`<mirror>`).

Source: https://libvirt.org/formatdomain.html#hard-drives-floppy-disks-cdroms; docs/kbase/backing_chains.rst.
"""

from __future__ import annotations

from guesthouse.errors import UnsupportedConfigError, XmlError
from guesthouse.model.binding import element, itself, one, opt
from guesthouse.model.domain.devices.disk.driver import FORMAT, check_format
from guesthouse.model.domain.devices.disk.protocols import check_login
from guesthouse.model.domain.devices.disk.source import STORAGE_TYPE, Source
from guesthouse.model.domain.devices.disk.source_parts import ImageFormat
from guesthouse.model.kinds import TEXT, UINT, YES_NO, one_of


@element("backingStore")
class BackingStore:
    """The next image of a chain; without a type it ends the chain.

    `detected` ones were read from the image when the guest started, and are not part of its definition.
    """

    type: str | None = opt(STORAGE_TYPE)
    index: int | None = opt(UINT, live=True)
    detected: bool | None = opt(YES_NO, status=True)
    format: ImageFormat | None = one(ImageFormat)
    source: Source | None = one(Source)
    backing: BackingStore | None = itself(live=True, keep=lambda store: not store.detected)

    def parsed(self) -> None:
        """A link of the chain is whole, or it is the end."""
        if self.type is None:
            if self.format is not None or self.source is not None or self.backing is not None:
                raise XmlError("Missing required attribute 'type' in element 'backingStore'")
            return
        if self.format is None:
            raise XmlError("missing disk backing store format")
        if self.source is None:
            raise XmlError("missing disk backing store source")
        self.source.settle(self.type)

    @property
    def end(self) -> bool:
        """Whether the chain ends here."""
        return self.type is None

    def check(self) -> None:
        """Raise `UnsupportedConfigError` or `XmlError` for a link that QEMU cannot read."""
        if self.type is None or self.source is None or self.format is None:
            return
        check_image(self.type, self.source, self.format.type, self.format.metadata_cache is not None)


def check_image(kind: str, source: Source, format_: str | None, metadata_cache: bool) -> None:
    """Check one image of a chain. Raises `UnsupportedConfigError` or `XmlError` with libvirt's texts."""
    check_format(format_)
    if format_ == "fat" and kind not in ("dir", "volume"):
        raise UnsupportedConfigError("storage format 'fat' is supported only with 'dir' storage type")
    if kind == "dir" and format_ not in (None, "fat"):
        raise UnsupportedConfigError("storage type 'dir' requires use of storage format 'fat'")
    if metadata_cache and format_ != "qcow2":
        raise UnsupportedConfigError("metadata cache max size control is supported only with qcow2 images")
    source.check(kind, format_)
    if source.auth is not None and kind == "network":
        check_login(source.protocol or "", source.auth.secret.type)
    if source.data_store is not None:
        source.data_store.check(format_)


@element("mirror")
class Mirror:
    """Where a running guest's disk is being copied to by a block job. Void in a definition.

    `file` and `format_name` are what old clients read; `ready` says that both sides are equal.
    """

    type: str | None = opt(STORAGE_TYPE)
    file: str | None = opt(TEXT)
    format_name: str | None = opt(FORMAT, "format")
    job: str | None = opt(one_of("pull", "copy", "commit", "active-commit", "backup"))
    ready: str | None = opt(one_of("yes", "abort", "pivot"))
    format: ImageFormat | None = one(ImageFormat)
    source: Source | None = one(Source)
    backing: BackingStore | None = one(BackingStore)

    def parsed(self) -> None:
        """The old form has attributes only, and only for copies."""
        if self.type is not None:
            if self.source is None:
                raise XmlError("mirror requires source element")
            self.source.settle(self.type)
            return
        if self.job not in (None, "copy"):
            raise XmlError("mirror without type only supported by copy job")
        if self.file is None:
            raise XmlError("mirror requires file name")
