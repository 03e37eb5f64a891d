#!/usr/bin/env bash
# Tests under the sanitizers of GCC, with all indices checked: test_sanitized.sh KIND [PYTEST ARGUMENT ...]
#   memory    all tests under AddressSanitizer and UndefinedBehaviorSanitizer
#   threads   what shares work, threads, processes and signals, under ThreadSanitizer
# Nothing is installed outside of .venv-sanitized-KIND.
set -euo pipefail
cd "$(dirname "$0")/.."

kind=${1:?memory or threads}
shift
case $kind in
memory)
    flags="-fsanitize=address,undefined -fno-sanitize-recover=undefined"
    runtimes="$(gcc -print-file-name=libasan.so) $(gcc -print-file-name=libubsan.so)"
    # Left out: the sanitizer keeps freed memory for a while, and its address space is beyond any limit.
    tests=(--deselect tests/test_composition.py::test_fitted_clones_leave_nothing_behind
        --deselect tests/test_sizes.py::test_a_limit_of_the_process)
    ;;
threads)
    flags="-fsanitize=thread -fno-builtin" # else GCC writes memory in ways that it does not see
    runtimes="$(gcc -print-file-name=libtsan.so)"
    # Left out: Ctrl-C, and a loop that waits for a signal, as the sanitizer holds signals back until
    # a call that it knows to block.
    tests=(test_kernels.py test_readers.py test_processes.py test_interrupts.py
        -k "not ctrl_c and not two_interrupts")
    ;;
*)
    echo "unknown kind: $kind" >&2
    exit 2
    ;;
esac
venv=.venv-sanitized-$kind
python3 -m venv "$venv"
CRNN_DEBUG=1 CC="gcc $flags -fno-omit-frame-pointer" "$venv/bin/pip" install --quiet ".[test]"

# An instrumented library in a Python that is not needs the runtimes before anything else. Python
# keeps memory until its end, so leaks are looked for elsewhere; its own allocator would hide errors.
export LD_PRELOAD="$runtimes" PYTHONMALLOC=malloc UBSAN_OPTIONS=print_stacktrace=1 CRNN_SLOWDOWN=10
export ASAN_OPTIONS=detect_leaks=0:allocator_may_return_null=1
# Python's own locks are not instrumented: reports count if they name the extension.
log=$(mktemp -d)
trap 'rm -rf "$log"' EXIT
export TSAN_OPTIONS="log_path=$log/tsan report_signal_unsafe=0 ignore_noninstrumented_modules=1 exitcode=0 die_after_fork=0"
cd tests # so that the installed package is imported, not the one beside it
status=0
"../$venv/bin/python" -m pytest "${tests[@]}" "$@" || status=$?
if grep -l "_core\|_text" "$log"/tsan* 2>/dev/null; then
    cat "$log"/tsan*
    exit 1
fi
exit "$status"
