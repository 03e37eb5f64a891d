"""Folders are layers: imports run downwards."""

import ast
from pathlib import Path

import pytest

import crnn

ROOT = Path(crnn.__file__).parent
# From the top down; what stands in one line may import from its own line and from those below.
LAYERS = [
    {"__init__", "callbacks", "inspection", "interop"},
    {"_estimators"},
    {"_training"},
    {"_saving"},
    {"_layers"},
    {"preprocessing", "datasets"},
    {"_data"},
    {"_core", "_docs", "_reference", "_system", "_typing", "_constraints", "_version"},
]
LEVEL = {name: i for i, names in enumerate(LAYERS) for name in names}


def imported(path):
    """Modules of the package that a file imports, with their first part behind ``crnn``."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "crnn":
            parts = node.module.split(".")
            yield from [parts[1]] if parts[1:] else [alias.name for alias in node.names]


@pytest.mark.parametrize("path", sorted(ROOT.rglob("*.py")), ids=lambda p: str(p.relative_to(ROOT)))
def test_imports_run_downwards(path):
    home = path.relative_to(ROOT).parts[0].removesuffix(".py")
    above = {name for name in imported(path) if LEVEL[name] < LEVEL[home]}
    assert not above, f"{home} imports {above}, which stand above it"


@pytest.mark.parametrize("path", sorted(ROOT.rglob("*.py")), ids=lambda p: str(p.relative_to(ROOT)))
def test_private_names_of_scikit_learn_come_from_one_file(path):
    if path.name == "sklearn_private.py":
        return
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("sklearn"):
            names = [*node.module.split("."), *(alias.name for alias in node.names)]
            assert not [name for name in names if name.startswith("_")]
