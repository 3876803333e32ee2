"""The pages keep up with the program: generated ones, and every path that a page or a docstring names."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tools.settings_page import PAGE, ROOT, page

PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
SOURCES = sorted((ROOT / "src").rglob("*.py"))


def test_the_settings_are_what_the_table_says() -> None:
    assert PAGE.read_text() == page(), "run `./dev support` and review the difference"


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.name)
def test_links_lead_somewhere(path: Path) -> None:
    for link in re.findall(r"\]\(([^)#:]+)\)", path.read_text()):
        assert (path.parent / link).exists(), link


def test_pages_that_are_named_exist() -> None:
    for path in [*PAGES, *SOURCES, ROOT / "dev"]:
        for name in re.findall(r"\b(?:docs|tools|tests|bench)/[\w/-]+\.(?:md|py)\b", path.read_text()):
            assert (ROOT / name).exists(), f"{path.relative_to(ROOT)} names {name}"
