"""The extension modules and what has to be asked of the compiler; pyproject.toml has the rest."""

import os
import shutil
import sys
from glob import glob
from pathlib import Path

import scipy
from Cython.Build import cythonize
from setuptools import Extension, setup
from setuptools.command.build_ext import build_ext

# CRNN_DEBUG=1 checks each index into an array of a kernel, and leaves the symbols for a debugger.
DEBUG = os.environ.get("CRNN_DEBUG", "0") != "0"


class BuildExt(build_ext):
    """Adds the flags of the compiler at hand."""

    def build_extensions(self):
        msvc = self.compiler.compiler_type == "msvc"
        if not msvc:  # setuptools itself says what is missing for that one
            require(self.compiler.compiler_so[0])
        optimise = ["/O2"] if msvc else ["-O3", "-fno-math-errno", "-fno-trapping-math"]
        optimise += ["-g"] if DEBUG and not msvc else []
        strip = ["-Wl,-s"] if sys.platform == "linux" and not DEBUG else []
        threads = [] if msvc else ["-pthread"]
        for extension in self.extensions:
            extension.extra_compile_args = optimise + threads
            extension.extra_link_args = strip + threads
        super().build_extensions()


def require(compiler):
    if shutil.which(compiler) is None:
        sys.exit(
            f"crnn needs a C compiler, and {compiler!r} was not found; install one "
            "(Debian and Ubuntu: apt install build-essential, macOS: xcode-select --install) "
            "or name yours by the environment variable CC."
        )


def blas_int_include():
    """The folder that says which integer scipy's BLAS takes: scipy names it from 1.18 on."""
    declarations = Path(scipy.__file__).parent / "linalg" / "cython_blas.pxd"
    return "crnn/_c/blas_int/" + ("named" if "blas_int" in declarations.read_text() else "plain")


setup(
    ext_modules=cythonize(
        [
            Extension(f"crnn.{name}", [f"crnn/{name}.pyx"], depends=glob("crnn/_c/*"))
            for name in ("_core", "_text")
        ],
        include_path=[blas_int_include()],
        compiler_directives={"boundscheck": DEBUG, "initializedcheck": DEBUG},
        force=True,  # code that was made with other directives would not do
    ),
    cmdclass={"build_ext": BuildExt},
)
