#!/usr/bin/env bash
# The kernel tests under valgrind, with the build of .venv. Arguments go to pytest.
#
# Python's own allocator is left out, since valgrind knows malloc. AVX-512, which valgrind does not
# know, is left out by CRNN_SIMD and OPENBLAS_CORETYPE.
set -euo pipefail
cd "$(dirname "$0")/.."

export PYTHONMALLOC=malloc CRNN_SIMD=v3 OPENBLAS_CORETYPE=Haswell OMP_NUM_THREADS=2
log=$(mktemp)
trap 'rm -f "$log"' EXIT
status=0
valgrind --log-file="$log" --error-limit=no --num-callers=30 \
    .venv/bin/python -m pytest -q -p no:cacheprovider "$@" || status=$?

# Findings are those with a frame in the kernels; the interpreter has reports of its own.
tail -n 4 "$log"
ours="_\(core\|text\)\.\(cpython\|c:\)"
if grep -q "$ours" "$log"; then
    grep -B 12 -A 12 "$ours" "$log"
    echo "valgrind has findings in the kernels" >&2
    exit 1
fi
echo "no finding in the kernels"
exit "$status"
