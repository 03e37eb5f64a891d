#!/usr/bin/env bash
# Build the source distribution and a wheel from it in clean environments; test the wheel outside of
# the source tree, where nothing but what it holds can be imported. Arguments go to pytest.
set -euo pipefail
cd "$(dirname "$0")/.."
tree=$PWD

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/build"
"$work/build/bin/pip" install --quiet build
"$work/build/bin/python" -m build --outdir "$work/dist" . # the wheel is built from the sdist
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet "$(ls "$work"/dist/*.whl)[test]"

# What the tests read beside the package.
cp -r "$tree/tests" "$tree/docs" "$tree/examples" "$tree/pyproject.toml" "$work"
cd "$work/tests"
../venv/bin/python -m pytest "$@"
