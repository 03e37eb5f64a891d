"""What the user sees who builds the package; the kernels themselves are left out here."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("Cython", reason="Cython is not installed")
ROOT = Path(__file__).parents[1]
KERNELS = shutil.ignore_patterns("_core.*[cdo]", "_text.*[cdo]")


@pytest.mark.skipif(
    not (ROOT / "setup.py").exists() or sys.platform == "win32", reason="no sources, or no CC there"
)
def test_a_build_without_a_compiler_says_so_in_one_sentence(tmp_path):
    for name in ("setup.py", "pyproject.toml", "MANIFEST.in", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, tmp_path)
    shutil.copytree(ROOT / "crnn", tmp_path / "crnn", ignore=KERNELS)
    for name in ("_core", "_text"):
        (tmp_path / "crnn" / f"{name}.pyx").write_text("")
    result = subprocess.run(
        [sys.executable, "setup.py", "build"],
        cwd=tmp_path,
        env=os.environ | {"CC": "no-such-compiler"},
        capture_output=True,
        text=True,
    )
    assert result.returncode == 1
    last = result.stderr.strip().splitlines()[-1]
    assert last.startswith("crnn needs a C compiler, and 'no-such-compiler' was not found; install")
    assert "!!" not in result.stderr, "setuptools warns"
    (built,) = tmp_path.glob("build/lib*")
    suffixes = {path.suffix for path in built.rglob("*") if path.is_file()}
    assert suffixes == {".py", ".pyi", ".typed"}
