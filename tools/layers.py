"""Checks that imports follow the layers of docs/architecture.md: nothing upwards, no circles.

The rules are read from the table in that page, so that the page cannot be out of date. A row names a package or module
below `guesthouse` and what it may import; `a.b` rules apply to that module alone and are added to its package's.
"""

from __future__ import annotations

import ast
import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SOURCE = ROOT / "src/guesthouse"
PAGE = ROOT / "docs/architecture.md"


def rules() -> dict[str, set[str]]:
    """Layer to the layers that it may import."""
    table: dict[str, set[str]] = {}
    for line in PAGE.read_text().splitlines():
        cells = [cell.strip() for cell in line.strip().strip("|").split("|")]
        if line.startswith("| `") and len(cells) == 3:
            table[cells[0].strip("`")] = set(re.findall(r"`([\w.]+)`", cells[1]))
    return table


def narrow_rules() -> set[str]:
    """The modules of `drivers` that may import `rpc`: the names given in the page below the table."""
    text = PAGE.read_text()
    [sentence] = re.findall(r"Within `drivers`, only (.+?) may import `rpc`", text, re.S)
    return set(re.findall(r"`([\w*]+)`", sentence))


def imports(tree: ast.AST) -> list[tuple[int, str]]:
    """The `guesthouse.` modules that a file imports, with line numbers."""
    found: list[tuple[int, str]] = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found.extend((node.lineno, name.name) for name in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            if node.module == "guesthouse":
                names = [name.name for name in node.names if not name.name.startswith("__")]
                found.extend((node.lineno, f"guesthouse.{name}") for name in names)
            else:
                found.append((node.lineno, node.module))
    return [(line, name.removeprefix("guesthouse.")) for line, name in found if name.startswith("guesthouse.")]


def may_speak_protocol(path: Path, allowed: set[str]) -> bool:
    """Whether a module of `drivers` is one of those that translate to and from the protocol."""
    return any(
        re.fullmatch(name.replace("*", r"\w*"), part) for name in allowed for part in (path.stem, path.parent.name)
    )


def check(path: Path, table: dict[str, set[str]], speakers: set[str]) -> list[str]:
    """The complaints about one file."""
    inner = path.relative_to(SOURCE)
    layer = inner.parts[0].removesuffix(".py")
    module = ".".join(inner.with_suffix("").parts)
    if layer in {"__init__", "__main__"}:
        return []
    if layer not in table:
        return [f"{path.relative_to(ROOT)}: the layer '{layer}' has no row in docs/architecture.md"]
    allowed = table[layer] | table.get(module, set()) | {layer}
    problems = []
    for line, name in imports(ast.parse(path.read_text())):
        target = name.split(".")[0]
        where = f"{path.relative_to(ROOT)}:{line}"
        if target not in allowed and name not in allowed:
            problems.append(f"{where}: '{module}' may not import '{name}'")
        elif layer == "drivers" and target == "rpc" and not may_speak_protocol(path, speakers):
            problems.append(f"{where}: in drivers only {', '.join(sorted(speakers))} may import rpc")
    return problems


def main() -> None:
    """The command: prints every complaint, exits 1 if there is one."""
    table, speakers = rules(), narrow_rules()
    if not table:
        sys.exit("layers: found no table in docs/architecture.md")
    problems = [problem for path in sorted(SOURCE.rglob("*.py")) for problem in check(path, table, speakers)]
    print("\n".join(problems) or f"layers: {len(table)} layers hold")
    sys.exit(bool(problems))


if __name__ == "__main__":
    main()
