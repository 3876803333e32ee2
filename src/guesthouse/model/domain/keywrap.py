"""Whether an s390x guest may wrap keys that leave it: `<keywrap>`.

Format: https://libvirt.org/formatdomain.html#key-wrap
"""

from __future__ import annotations

from typing import Final

from guesthouse.errors import UnsupportedConfigError, XmlError
from guesthouse.model.binding import attr, element, many
from guesthouse.model.kinds import ON_OFF, one_of

_CIPHERS: Final = ("aes", "dea")


@element("cipher")
class Cipher:
    """One kind of key."""

    name: str = attr(one_of(*_CIPHERS))
    state: bool = attr(ON_OFF)


@element("keywrap", omit_empty=True)
class KeyWrap:
    """The ciphers in libvirt's order."""

    ciphers: list[Cipher] = many(Cipher)

    def parsed(self) -> None:
        """Each cipher once."""
        names = [cipher.name for cipher in self.ciphers]
        for name in _CIPHERS:
            if names.count(name) > 1:
                raise XmlError(f"A domain definition can have no more than one cipher node with name {name}")
        self.ciphers.sort(key=lambda cipher: _CIPHERS.index(cipher.name))

    def machine_words(self) -> list[str]:
        """The properties of `-machine`."""
        return [f"{cipher.name}-key-wrap={'on' if cipher.state else 'off'}" for cipher in self.ciphers]


def check(wrap: KeyWrap | None, arch: str) -> None:
    """Refuse it on other architectures. Raises `UnsupportedConfigError`."""
    if wrap is not None and wrap.ciphers and arch != "s390x":
        raise UnsupportedConfigError("'aes-key-wrap'/'dea-key-wrap' is not available on this architecture")
