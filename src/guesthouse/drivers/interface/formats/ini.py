"""Files of sections and settings, edited so that all that is not changed stays, comments too.

Source: systemd.syntax(7), nm-settings-keyfile(5): keys may repeat, sections too.
"""

from __future__ import annotations

from collections.abc import Iterable


class Ini:
    """One file. The lines before the first section belong to a section without a name."""

    def __init__(self, text: str = "") -> None:
        self._sections: list[tuple[str, list[str]]] = [("", [])]
        for line in text.splitlines():
            stripped = line.strip()
            if stripped.startswith("[") and stripped.endswith("]"):
                self._sections.append((stripped[1:-1], []))
            else:
                self._sections[-1][1].append(line)

    def values(self, section: str, key: str) -> list[str]:
        """All values of a key in sections of this name, in their order."""
        found = []
        for name, lines in self._sections:
            if name == section:
                found += [value for line in lines for known, value in [_split(line)] if known == key]
        return found

    def value(self, section: str, key: str) -> str | None:
        """The last value of a key, which is the one that counts; None where there is none, or an empty one."""
        return next(reversed(self.values(section, key)), "") or None

    def put(self, section: str, key: str, values: Iterable[str]) -> None:
        """Let a key have these values and no others; with none it goes."""
        for name, lines in self._sections:
            if name == section:
                lines[:] = [line for line in lines if _split(line)[0] != key]
        added = [f"{key}={value}" for value in values]
        if not added:
            return
        for name, lines in self._sections:
            if name == section:
                while lines and not lines[-1].strip():
                    lines.pop()
                lines += [*added, ""]
                return
        self._sections.append((section, [*added, ""]))

    def drop(self, section: str) -> None:
        """Remove all sections of this name."""
        self._sections = [one for one in self._sections if one[0] != section]

    def text(self) -> str:
        """The file, without sections that became empty."""
        parts = []
        for name, lines in self._sections:
            if any(line.strip() for line in lines):
                head = [f"[{name}]"] if name else []
                parts.append("\n".join([*head, *lines]).rstrip("\n"))
        return "\n\n".join(parts) + "\n" if parts else ""


def _split(line: str) -> tuple[str, str]:
    """Key and value of a line; empty for a comment."""
    if line.lstrip()[:1] in ("#", ";"):
        return "", ""
    key, found, value = line.partition("=")
    return (key.strip(), value.strip()) if found else ("", "")
