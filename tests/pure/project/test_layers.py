"""The layer rules are kept, and a breach of each is noticed."""

from __future__ import annotations

from pathlib import Path

import pytest

from tools.layers import SOURCE, complaints

BREACHES = {
    "upwards": ({"model/guest.py": "from guesthouse.server import session\n"}, "'model.guest' may not import 'server"),
    "in a function": (
        {"rpc/codec.py": "def f():\n    import guesthouse.qemu.monitor\n"},
        "may not import 'qemu.monitor'",
    ),
    "unknown layer": ({"attic/__init__.py": ""}, "the layer 'attic' has no row"),
    "protocol in a driver": (
        {"drivers/domain/guest.py": "from guesthouse.rpc import types\n"},
        "in drivers only",
    ),
    "relative": ({"model/guest.py": "from .. import server\n"}, "name the package"),
    "circle": (
        {"model/a.py": "from guesthouse.model import b\n", "model/b.py": "from guesthouse.model.a import A\n"},
        "in a circle",
    ),
}


def tree(folder: Path, files: dict[str, str]) -> Path:
    source = folder / "guesthouse"
    for name, text in files.items():
        (source / name).parent.mkdir(parents=True, exist_ok=True)
        (source / name).write_text(text)
    return source


def test_the_layers_hold() -> None:
    assert complaints(SOURCE) == []


@pytest.mark.parametrize(("files", "complaint"), BREACHES.values(), ids=BREACHES)
def test_a_breach_is_noticed(tmp_path: Path, files: dict[str, str], complaint: str) -> None:
    [found] = complaints(tree(tmp_path, files))
    assert complaint in found


def test_imports_of_functions_and_type_checkers_make_no_circle(tmp_path: Path) -> None:
    files = {
        "model/a.py": "from guesthouse.model import b\n",
        "model/b.py": "if TYPE_CHECKING:\n    import guesthouse.model.a\ndef f():\n    import guesthouse.model.a\n",
    }
    assert complaints(tree(tmp_path, files)) == []
