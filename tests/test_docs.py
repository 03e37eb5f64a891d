"""Docstrings are complete; the code in the pages of docs runs, and says what it needs."""

import ast
import builtins
import inspect
import re
from importlib.util import find_spec
from pathlib import Path

import pytest

import crnn.callbacks
from common import PUBLIC, functions_of

ROOT = Path(__file__).parents[1]
PAGES = sorted((ROOT / "docs").glob("*.md"))
CONTRIBUTING = list(ROOT.glob("CONTRIBUTING.md"))
README = list(ROOT.glob("README.md"))  # not there where only the tests were copied
EXTRAS = {  # what a block uses -> what its page must have told the reader to install
    "TrainingHistoryDisplay": 'pip install "crnn[plot]"',
    "ProgressBar": 'pip install "crnn[progress]"',
    "pandas": "pip install pandas",
    "to_onnx": 'pip install "crnn[onnx]"',
    "onnxruntime": "pip install onnxruntime",
    "register_skl2onnx": 'pip install "crnn[interop]"',
    "save_safetensors": 'pip install "crnn[interop]"',
    "keras": "pip install keras jax",
    "torch": "pip install torch",
    "distributed": '"dask[dataframe]" distributed',
}
OPTIONAL = ("keras", "torch")  # whose blocks run where they are installed
OF_PAGE = {
    "interop.md": ("onnx", "onnxruntime", "skl2onnx", "safetensors"),
    "clusters.md": ("distributed", "dask.dataframe"),
}


def runs_here(block):
    """Whether all libraries that a block imports are installed."""
    imports = [a.name for node in ast.walk(ast.parse(block)) for a in getattr(node, "names", ())]
    return all(find_spec(name) for name in imports if name in OPTIONAL)


def blocks_of(page):
    return re.findall(r"^```python\n(.*?)^```", page.read_text(), re.MULTILINE | re.DOTALL)


@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")  # of Keras
@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_code_of_a_page(page, tmp_path, monkeypatch):
    plt = pytest.importorskip("matplotlib.pyplot")
    for library in OF_PAGE.get(page.name, ()):
        pytest.importorskip(library, reason=f"{library} is not installed")
    monkeypatch.chdir(tmp_path)
    names = {}
    for block in filter(runs_here, blocks_of(page)):
        exec(compile(block, page.name, "exec"), names)
    plt.close("all")


@pytest.mark.parametrize("page", [*README, *PAGES], ids=lambda page: page.name)
def test_each_block_imports_what_it_uses(page):
    """A block that was copied alone lacks data at most, which the blocks before it made."""
    made = set(dir(builtins))
    for block in blocks_of(page):
        nodes = list(ast.walk(ast.parse(block)))
        names = [node for node in nodes if isinstance(node, ast.Name)]
        imports = [alias for node in nodes for alias in getattr(node, "names", ())]
        made |= {node.id for node in names if isinstance(node.ctx, ast.Store)}
        made |= {node.name for node in nodes if isinstance(node, ast.FunctionDef)}
        arguments = {node.arg for node in nodes if isinstance(node, ast.arg)}
        known = made | arguments | {alias.asname or alias.name for alias in imports}
        assert {node.id for node in names} <= known, block


@pytest.mark.parametrize("page", [*README, *PAGES], ids=lambda page: page.name)
def test_a_page_names_the_extras_that_it_needs(page):
    text = page.read_text()
    for name, remedy in EXTRAS.items():
        if any(name in block for block in blocks_of(page)):
            assert remedy in text
            assert text.index(remedy) < text.index(name, text.index("```python"))


def sections_of(docstring):
    """What stands below each heading of a numpydoc docstring."""
    parts = re.split(r"^(\w[\w ]*)\n-+$", docstring, flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


@pytest.mark.parametrize("name", PUBLIC)
def test_docstrings_name_what_goes_in_and_out(name):
    for where, function in functions_of(PUBLIC[name]).items():
        constructor = where.endswith(".__init__")
        if name in crnn.callbacks.__all__ and not constructor:
            continue  # called by fits, not by users
        sections = sections_of(inspect.getdoc(PUBLIC[name] if constructor else function))
        lines = re.findall(r"^\S.*", sections.get("Parameters", ""), re.MULTILINE)
        named = [name.strip(" *") for line in lines for name in line.split(" : ")[0].split(",")]
        signature = inspect.signature(function)
        assert named == [p for p in signature.parameters if p != "self"], where
        assert ("Returns" in sections) == (signature.return_annotation is not None), where


@pytest.mark.parametrize("name", PUBLIC)
def test_shared_texts_are_filled_in(name):
    for thing in (PUBLIC[name], *functions_of(PUBLIC[name]).values()):
        assert not re.search(r"^\s*\{\w+\}\s*$", inspect.getdoc(thing) or "", re.MULTILINE)


@pytest.mark.parametrize("page", CONTRIBUTING, ids=lambda page: page.name)
def test_the_map_names_folders_and_tests_that_exist(page):
    rows = [line for line in page.read_text().splitlines() if line.startswith("| `")]
    assert len(rows) > 5
    for row in rows:
        _, folders, *_, tests, _ = row.split("|")
        paths = re.findall("`(.*?)`", folders)
        paths += [f"tests/{name}.py" for name in re.findall("`(.*?)`", tests)]
        assert [path for path in paths if not (ROOT / path).exists()] == []
