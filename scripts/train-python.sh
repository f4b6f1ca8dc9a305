#!/usr/bin/env bash
# Shows that Python grows the same trees as `wary train` (docs/training.md): makes a virtual environment with the
# LightGBM of the same version under DEST/python (default DEST: data) and runs the test that compares the models.
# Packages come through pip, as it is set up on this machine; nothing is done when they are there already.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

packages=(lightgbm==4.7.0 pyarrow==26.0.1)
dir=${DEST:-data}/python

if [ "$(cat "$dir/packages" 2>/dev/null)" != "${packages[*]}" ]; then
	python3 -m venv --help >/dev/null 2>&1 || { echo "train-python: python3 with venv is needed" >&2 && exit 1; }
	rm -rf "$dir"
	python3 -m venv "$dir"
	echo "train-python: fetching ${packages[*]}" >&2
	"$dir/bin/pip" install --quiet --disable-pip-version-check --only-binary=:all: "${packages[@]}"
	echo "${packages[*]}" >"$dir/packages"
fi
scripts/deps.sh lightgbm
WARY_PYTHON=$(realpath -s "$dir")/bin/python "${GO:-go}" test -count=1 -v -run '^TestPythonGrowsTheSameTrees$' ./bench/population/baseline
