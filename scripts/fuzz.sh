#!/usr/bin/env bash
# Runs every fuzz function of the module for FUZZTIME (default: 10s) each. All are run; any that fails makes it fail.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

go=${GO:-go}
# go test -list prints the names of a package, then the line "ok PACKAGE".
found=$("$go" test -list '^Fuzz' ./... | awk '/^Fuzz/ {names[n++] = $1} /^ok/ {for (i = 0; i < n; i++) print $2, names[i]; n = 0}')
if [ -z "$found" ]; then
	echo "fuzz: no fuzz function found" >&2
	exit 1
fi
# Without its limit, making an input smaller takes up to a minute and is not counted: functions that work on files would
# spend all their time on their first find.
fuzz() {
	"$go" test -run '^$' -fuzz "^$2\$" -fuzztime "${FUZZTIME:-10s}" -fuzzminimizetime 50x "$1" </dev/null 2>&1 | tee "$out"
}

# Until Go 1.27 the end of the time can be taken for a failure: "context deadline exceeded" and no input written
# (https://go.dev/issue/75804). What ends so is run once more; an input that really hangs would hang again.
late() {
	grep -q '^    context deadline exceeded$' "$out" && ! grep -q 'Failing input written' "$out"
}

out=$(mktemp)
trap 'rm -f "$out"' EXIT
failed=0
while read -r package name; do
	fuzz "$package" "$name" || { late && fuzz "$package" "$name"; } || failed=1
done <<<"$found"
exit "$failed"
