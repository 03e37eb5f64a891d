#!/usr/bin/env bash
# The tests under AddressSanitizer and UndefinedBehaviorSanitizer of GCC, with all indices checked.
# Arguments go to pytest. Nothing is installed outside of .venv-sanitized.
set -euo pipefail
cd "$(dirname "$0")/.."

python3 -m venv .venv-sanitized
flags="-fsanitize=address,undefined -fno-sanitize-recover=undefined -fno-omit-frame-pointer"
# As a part of CC the flags go to each program that setup.py links to ask for OpenMP as well.
CRNN_DEBUG=1 CC="gcc $flags" .venv-sanitized/bin/pip install --quiet ".[test]"

# An instrumented library in a Python that is not needs the runtimes before anything else. Python
# keeps memory until its end, so leaks are looked for elsewhere; its own allocator would hide errors.
runtimes="$(gcc -print-file-name=libasan.so) $(gcc -print-file-name=libubsan.so)"
export LD_PRELOAD="$runtimes" PYTHONMALLOC=malloc
export ASAN_OPTIONS=detect_leaks=0:allocator_may_return_null=1 UBSAN_OPTIONS=print_stacktrace=1
cd tests # so that the installed package is imported, not the one beside it
# Left out: the sanitizer keeps freed memory for a while, and its address space is beyond any limit.
../.venv-sanitized/bin/python -m pytest \
    --deselect tests/test_composition.py::test_fitted_clones_leave_nothing_behind \
    --deselect tests/test_sizes.py::test_a_limit_of_the_process "$@"
