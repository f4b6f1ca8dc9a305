#!/usr/bin/env bash
# Starts bin/waryd on loopback with its defaults, waits until it is ready and takes the tour.
#   scripts/run.sh serve   then keeps serving until Ctrl-C, on the state kept in run/data
#   scripts/run.sh tour    then ends with the exit code of the tour, on state of its own that is removed
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

mode=${1:-serve}
listen=${LISTEN:-127.0.0.1:8080}
ops=${OPS:-127.0.0.1:8081}
geo=${DEST:-data}/geo
daemon=

mkdir -p run
case $mode in
serve) state=run/data ;;
tour) state=$(mktemp -d run/tour.XXXXXX) ;;
*) echo "run: serve or tour, not $mode" >&2 && exit 2 ;;
esac
log=run/waryd.log

# stop asks the daemon to drain, and ends it where that takes more than 15 seconds.
stop() {
	trap - EXIT INT TERM
	if [ -n "$daemon" ] && kill -TERM "$daemon" 2>/dev/null; then
		for _ in $(seq 150); do
			kill -0 "$daemon" 2>/dev/null || break
			sleep 0.1
		done
		kill -KILL "$daemon" 2>/dev/null || true
		wait "$daemon" 2>/dev/null || true
	fi
	[ "$mode" = serve ] || rm -rf "$state"
}
trap stop EXIT
trap 'stop; exit 0' INT TERM
[ "$mode" = serve ] || trap 'stop; exit 130' INT TERM

ready() { curl -fsS -m 1 -o /dev/null "http://$ops/readyz" 2>/dev/null; }

if ready; then
	echo "run: something already answers on $ops: stop it, or set LISTEN and OPS" >&2
	exit 1
fi
if [ ! -d "$geo" ]; then
	scripts/deps.sh geo || echo "run: going on without places" >&2
fi
options=(-data "$state" -score.listen "$listen" -operators.listen "$ops")
[ ! -d "$geo" ] || options+=(-geo.dir "$geo")
bin/waryd "${options[@]}" >"$log" 2>&1 &
daemon=$!

for _ in $(seq 300); do
	ready && break
	kill -0 "$daemon" 2>/dev/null || break
	sleep 0.1
done
if ! ready; then
	echo "run: the daemon did not become ready; the end of $log:" >&2
	tail -n 20 "$log" >&2
	exit 1
fi

toured=0
bin/wary tour --server "http://$listen" || toured=$?
if [ "$mode" = tour ]; then
	exit "$toured"
fi
[ "$toured" -eq 0 ] || echo "run: the tour was not as told (exit code $toured)" >&2
echo "serving on http://$listen, operators on http://$ops, log in $log; Ctrl-C stops it"
wait "$daemon"
