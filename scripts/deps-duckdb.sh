#!/usr/bin/env bash
# Fetches DuckDB's command line (MIT) from PyPI into a virtual environment, DEST/duckdb (default DEST: data), whose
# bin/duckdb reads what `wary export` writes: for tests, and for trying out docs/data.md. What is already there is left as
# it is. Packages come through pip, as it is set up on this machine.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

package=duckdb-cli==1.5.6

dir=${1:-data}/duckdb
[ "$(cat "$dir/.package" 2>/dev/null)" != "$package" ] || exit 0
python3 -m venv --help >/dev/null 2>&1 || { echo "deps-duckdb: python3 with venv is needed to fetch DuckDB" >&2 && exit 1; }

# A virtual environment knows its place: it is made there, and has its mark when it is whole.
rm -rf "$dir"
python3 -m venv "$dir"
echo "deps-duckdb: fetching $package" >&2
"$dir/bin/pip" install --quiet --disable-pip-version-check --only-binary=:all: "$package"
"$dir/bin/duckdb" -csv -noheader -c 'select 42' | grep -qx 42 || { echo "deps-duckdb: DuckDB does not run here" >&2 && exit 1; }
echo "$package" >"$dir/.package"
