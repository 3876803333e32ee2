"""Tables as virsh prints them: a heading, a line of dashes, and columns as wide as their widest cell."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence


def printable(cell: str) -> str:
    """The cell with everything that would move the cursor as hexadecimal escapes, so that one row stays one line."""
    if cell.isascii() and cell.isprintable() and "\\x" not in cell:
        return cell
    parts = []
    for at, char in enumerate(cell):
        code = ord(char)
        if (char == "\\" and cell[at + 1 : at + 2] == "x") or code < 0x20 or code == 0x7F:
            parts.append(f"\\x{code:02x}")
        elif 0xDC80 <= code <= 0xDCFF:
            parts.append(f"\\x{code - 0xDC00:02x}")
        elif not char.isprintable() and char != "\u00a0":
            parts.extend(f"\\x{byte:02x}" for byte in char.encode("utf-8", "surrogatepass"))
        else:
            parts.append(char)
    return "".join(parts)


def width(cell: str) -> int:
    """How many columns of a terminal the cell takes: wide characters two, combining ones none."""
    if cell.isascii():
        return len(cell)
    import unicodedata

    total = 0
    for char in cell:
        if unicodedata.category(char) in ("Mn", "Me", "Cf"):
            continue
        total += 2 if unicodedata.east_asian_width(char) in ("W", "F") else 1
    return total


def render(heading: tuple[str, ...], rows: Sequence[tuple[str, ...]], *, quiet: bool = False) -> str:
    """The whole table as text. `quiet` leaves the heading out, and its width with it."""
    shown = [tuple(map(printable, row)) for row in rows]
    if not quiet:
        shown.insert(0, heading)
    widths = [max((width(row[at]) for row in shown), default=0) for at in range(len(heading))]
    lines = [_line(row, widths) for row in shown]
    if not quiet:
        lines.insert(1, "-" * sum(one + 3 for one in widths) + "\n")
    return "".join(lines)


def _line(row: tuple[str, ...], widths: list[int]) -> str:
    cells = [f" {cell}{' ' * (wide - width(cell) + 2)}" for cell, wide in zip(row[:-1], widths, strict=False)]
    return f"{''.join(cells)} {row[-1]}\n"
