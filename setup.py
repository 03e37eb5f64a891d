"""The extension module and what has to be asked of the compiler; pyproject.toml has the rest."""

import os
import sys
import tempfile
from glob import glob
from pathlib import Path

import scipy
from Cython.Build import cythonize
from setuptools import Extension, setup
from setuptools.command.build_ext import build_ext
from setuptools.errors import CompileError, LinkError

# CRNN_DEBUG=1 checks each index into an array of a kernel, and leaves the symbols for a debugger.
DEBUG = os.environ.get("CRNN_DEBUG", "0") != "0"

# Ways to ask for OpenMP: (compiler, linker) arguments. The second is Apple's clang with libomp.
OPENMP_UNIX = [(["-fopenmp"], ["-fopenmp"]), (["-Xpreprocessor", "-fopenmp"], ["-lomp"])]
OPENMP_MSVC = [(["/openmp"], [])]


class BuildExt(build_ext):
    """Adds the flags that the compiler at hand accepts; without OpenMP the loops run serially."""

    def build_extensions(self):
        msvc = self.compiler.compiler_type == "msvc"
        optimise = ["/O2"] if msvc else ["-O3", "-fno-math-errno", "-fno-trapping-math"]
        optimise += ["-g"] if DEBUG and not msvc else []
        strip = ["-Wl,-s"] if sys.platform == "linux" and not DEBUG else []
        openmp = OPENMP_MSVC if msvc else OPENMP_UNIX
        compile_args, link_args = next(filter(self.accepts, openmp), ([], []))
        for extension in self.extensions:
            extension.extra_compile_args = optimise + compile_args
            extension.extra_link_args = strip + link_args
        super().build_extensions()

    def accepts(self, flags):
        """Whether a small OpenMP program compiles and links with these flags."""
        compile_args, link_args = flags
        program = "#include <omp.h>\nint main(void) { return omp_get_max_threads() < 1; }\n"
        with tempfile.TemporaryDirectory() as folder:
            source = Path(folder, "probe.c")
            source.write_text(program)
            try:
                objects = self.compiler.compile(
                    [os.fspath(source)], output_dir=folder, extra_postargs=compile_args
                )
                self.compiler.link_executable(
                    objects, "probe", output_dir=folder, extra_postargs=link_args
                )
            except (CompileError, LinkError):
                return False
        return True


def blas_int_include():
    """The folder that says which integer scipy's BLAS takes: scipy names it from 1.18 on."""
    declarations = Path(scipy.__file__).parent / "linalg" / "cython_blas.pxd"
    return "crnn/blas_int/" + ("named" if "blas_int" in declarations.read_text() else "plain")


setup(
    ext_modules=cythonize(
        [Extension("crnn._core", ["crnn/_core.pyx"], depends=glob("crnn/*.h"))],
        include_path=[blas_int_include()],
        compiler_directives={"boundscheck": DEBUG, "initializedcheck": DEBUG},
        force=True,  # code that was made with other directives would not do
    ),
    cmdclass={"build_ext": BuildExt},
)
