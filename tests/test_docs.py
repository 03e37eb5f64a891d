"""The code in the pages of docs runs, and says what it needs."""

import ast
import builtins
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGES = sorted((ROOT / "docs").glob("*.md"))
README = list(ROOT.glob("README.md"))  # not there where only the tests were copied
EXTRAS = {  # what a block uses -> what its page must have told the reader to install
    "TrainingHistoryDisplay": 'pip install "crnn[plot]"',
    "ProgressBar": 'pip install "crnn[progress]"',
    "pandas": "pip install pandas",
}


def blocks_of(page):
    return re.findall(r"^```python\n(.*?)^```", page.read_text(), re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_code_of_a_page(page, tmp_path, monkeypatch):
    plt = pytest.importorskip("matplotlib.pyplot")
    monkeypatch.chdir(tmp_path)
    names = {}
    for block in blocks_of(page):
        exec(compile(block, page.name, "exec"), names)
    plt.close("all")


@pytest.mark.parametrize("page", [*README, *PAGES], ids=lambda page: page.name)
def test_each_block_imports_what_it_uses(page):
    """A block that was copied alone lacks data at most, which the blocks before it made."""
    made = set(dir(builtins))
    for block in blocks_of(page):
        names = [node for node in ast.walk(ast.parse(block)) if isinstance(node, ast.Name)]
        imports = [a for node in ast.walk(ast.parse(block)) for a in getattr(node, "names", ())]
        made |= {node.id for node in names if isinstance(node.ctx, ast.Store)}
        known = made | {alias.asname or alias.name for alias in imports}
        assert {node.id for node in names} <= known, block


@pytest.mark.parametrize("page", [*README, *PAGES], ids=lambda page: page.name)
def test_a_page_names_the_extras_that_it_needs(page):
    text = page.read_text()
    for name, remedy in EXTRAS.items():
        if any(name in block for block in blocks_of(page)):
            assert remedy in text
            assert text.index(remedy) < text.index(name, text.index("```python"))
