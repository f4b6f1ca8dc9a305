#!/usr/bin/env bash
# Fetches what is optional into DEST (default: data). Without arguments every part is tried, and one that fails
# is told and passed over. With arguments (scripts/deps.sh geo) those parts are asked for, and failing is an error.
# A part is a script of its own, deps-PART.sh DEST, that does nothing when what it fetches is already there.
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.." || exit 1

dest=${DEST:-data}
all=(geo lightgbm redis chromium kafka duckdb axe)

without() {
	case $1 in
	geo) echo "without its files addresses have no place or no network (degraded: geo)" ;;
	lightgbm) echo "no model can be trained; scoring does not need it" ;;
	kafka) echo "there is no broker to try: make kafka and make test-kafka need it" ;;
	duckdb) echo "the test that reads what wary export writes by SQL is skipped" ;;
	axe) echo "the login pages are not looked at by axe-core" ;;
	redis) echo "the figure state_vs_redis_script has no value, and bench/redis skips its tests" ;;
	chromium) echo "signals/collector skips the tests that need a browser" ;;
	esac
}

fetch() {
	if [[ " ${all[*]} " != *" $1 "* ]]; then
		echo "deps: there is no part '$1' (parts: ${all[*]})" >&2
		return 1
	fi
	if "scripts/deps-$1.sh" "$dest"; then
		echo "deps: $1 is there; whose it is and on what terms: NOTICE"
		return
	fi
	echo "deps: $1 could not be fetched whole: $(without "$1")" >&2
	return 1
}

mkdir -p "$dest" || exit 1
failed=0
for part in "${@:-${all[@]}}"; do
	fetch "$part" || failed=1
done
[ $# -eq 0 ] || exit "$failed"
