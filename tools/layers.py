"""Checks that imports follow the layers of docs/architecture.md: nothing upwards, no circles between modules.

The rules are read from the table in that page, so that the page cannot be out of date. A row names a package or module
below `guesthouse` and what it may import; `a.b` rules apply to that module alone and are added to its package's.

A circle is one of imports that run when a module is loaded: those inside functions and for type checkers are not.
"""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
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


def relative_imports(tree: ast.AST) -> list[int]:
    """The lines of imports that name no package, which the rules could not judge."""
    return [node.lineno for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) and node.level]


def loaded_nodes(tree: ast.Module) -> Iterator[ast.AST]:
    """What runs when the module is loaded: not the insides of functions, not what is for type checkers."""
    pending: list[ast.AST] = list(tree.body)
    while pending:
        node = pending.pop()
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            continue
        if isinstance(node, ast.If) and ast.unparse(node.test) in {"TYPE_CHECKING", "typing.TYPE_CHECKING"}:
            pending.extend(node.orelse)
            continue
        yield node
        pending.extend(ast.iter_child_nodes(node))


def loaded_imports(tree: ast.Module, modules: set[str]) -> set[str]:
    """Those of `modules` that a module imports when it is loaded."""
    found: set[str] = set()
    for node in loaded_nodes(tree):
        if isinstance(node, ast.Import):
            found.update(name.name for name in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            inner = {f"{node.module}.{name.name}" for name in node.names}
            found.update(inner & modules or {node.module})
    return found & modules


def circles(source: Path) -> list[str]:
    """A complaint for the first circle of imports, if there is one."""
    files = {
        ".".join(path.relative_to(source.parent).with_suffix("").parts).removesuffix(".__init__"): path
        for path in source.rglob("*.py")
    }
    graph = {name: loaded_imports(ast.parse(path.read_text()), set(files)) - {name} for name, path in files.items()}
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        return [f"{source.name}: modules import each other in a circle: {' <- '.join(error.args[1])}"]
    return []


def may_speak_protocol(path: Path, allowed: set[str]) -> bool:
    """Whether a module of `drivers` is one of those that translate to and from the protocol."""
    return any(
        re.fullmatch(name.replace("*", r"\w*"), part) for name in allowed for part in (path.stem, path.parent.name)
    )


def check(source: Path, path: Path, table: dict[str, set[str]], speakers: set[str]) -> list[str]:
    """The complaints about one file below `source`."""
    inner = path.relative_to(source)
    layer = inner.parts[0].removesuffix(".py")
    module = ".".join(inner.with_suffix("").parts)
    if layer in {"__init__", "__main__"}:
        return []
    if layer not in table:
        return [f"{inner}: the layer '{layer}' has no row in docs/architecture.md"]
    allowed = table[layer] | table.get(module, set()) | {layer}
    tree = ast.parse(path.read_text())
    problems = [f"{inner}:{line}: name the package, not '.'" for line in relative_imports(tree)]
    for line, name in imports(tree):
        target = name.split(".")[0]
        where = f"{inner}:{line}"
        if target not in allowed and name not in allowed:
            problems.append(f"{where}: '{module}' may not import '{name}'")
        elif layer == "drivers" and target == "rpc" and not may_speak_protocol(path, speakers):
            problems.append(f"{where}: in drivers only {', '.join(sorted(speakers))} may import rpc")
    return problems


def complaints(source: Path) -> list[str]:
    """Every complaint about the package at `source`."""
    table, speakers = rules(), narrow_rules()
    if not table:
        return ["found no table in docs/architecture.md"]
    broken = [problem for path in sorted(source.rglob("*.py")) for problem in check(source, path, table, speakers)]
    return broken + circles(source)


def main() -> None:
    """The command: prints every complaint, exits 1 if there is one."""
    problems = complaints(SOURCE)
    print("\n".join(problems) or "layers: they hold, and no modules import each other in a circle")
    sys.exit(bool(problems))


if __name__ == "__main__":
    main()
