"""Every public name says what it is, and no file tells of the machine that it was written on."""

from __future__ import annotations

import ast
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
SOURCES = sorted((ROOT / "src/guesthouse").rglob("*.py"))

#: What must not stand in a file. The parts are joined here so that this file does not contain them itself.
_UNWANTED = re.compile(
    "|".join(
        (
            r"\b" + "TO" + r"DO\b",
            r"\b" + "FIX" + r"ME\b",
            r"\bXX" + r"X\b(?!\.)",
            "/" + r"work/(?:main|shared)\b",
            "/" + r"tmp/w/",
            r"(?<![\w.])/home/(?!user\b|tux\b|USER\b|\$)[a-z]\w+/",
            r"(?:ghcr|quay)\." + r"io/",
            r"registry\." + r"(?:npmjs|opensuse|suse)\.",
            r"\b\w+\.pkg\." + r"dev\b",
            r"artifact" + r"(?:ory|registry)\b",
        )
    )
)


def _named(body: list[ast.stmt], owner: str) -> Iterator[tuple[str, ast.AST]]:
    """The public classes, functions and methods of a module or class, with their names."""
    for node in body:
        if not isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            continue
        if node.name.startswith("_") or _is_overload(node):
            continue
        yield f"{owner}.{node.name}", node
        if isinstance(node, ast.ClassDef):
            yield from _named(node.body, f"{owner}.{node.name}")


def _is_overload(node: ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    """A typed variant of a function, or the setter of a property: the docstring stands with the function itself."""
    for decorator in node.decorator_list:
        if isinstance(decorator, ast.Name) and decorator.id in ("overload", "override"):
            return True
        if isinstance(decorator, ast.Attribute) and decorator.attr in ("setter", "overload"):
            return True
    return False


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT / "src/guesthouse")))
def test_public_names_have_docstrings(path: Path) -> None:
    module = ast.parse(path.read_text("utf-8"))
    missing = [] if ast.get_docstring(module) else ["the module"]
    for name, node in _named(module.body, path.stem):
        assert isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef)
        if not (ast.get_docstring(node) or "").strip():
            missing.append(name)
    assert not missing


def _files() -> list[Path]:
    """What belongs to the project: what git knows or would add, else everything beside the caches."""
    asked = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT, capture_output=True, check=False,
    )  # fmt: skip
    if asked.returncode == 0:
        return [ROOT / name.decode() for name in asked.stdout.split(b"\0") if name]
    return [path for part in ("src", "tests", "docs", "tools") for path in (ROOT / part).rglob("*")]


def test_no_file_tells_of_a_developers_machine() -> None:
    found = []
    for path in _files():
        if not path.is_file() or path.is_symlink() or "__pycache__" in path.parts:
            continue
        try:
            text = path.read_text("utf-8")
        except UnicodeDecodeError:
            continue
        for number, line in enumerate(text.splitlines(), 1):
            if _UNWANTED.search(line):
                found.append(f"{path.relative_to(ROOT)}:{number}: {line.strip()[:100]}")
    assert not found
