#!/usr/bin/env bash
# Starts bin/waryd on loopback with its defaults, waits until it is ready and takes the tour.
#   scripts/run.sh serve   then keeps serving until Ctrl-C, on the state kept in run/data
#   scripts/run.sh tour    then ends with the exit code of the tour, on state and a log of its own that are removed
# Geo files are fetched first where DEST/geo (default DEST: data) has none. LISTEN and OPS are the addresses to serve on, AUTH
# that of the authorization server, with a made-up client, person and bank.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

mode=${1:-serve}
listen=${LISTEN:-127.0.0.1:8080}
ops=${OPS:-127.0.0.1:8081}
auth=${AUTH:-127.0.0.1:8082}
geo=${DEST:-data}/geo
daemon=

mkdir -p run
case $mode in
serve) state=run/data log=run/waryd.log ;;
tour) state=$(mktemp -d run/tour.XXXXXX) log=$state/waryd.log ;;
*) echo "run: serve or tour, not $mode" >&2 && exit 2 ;;
esac
touch "$log"
before=$(wc -l <"$log") # lines of earlier runs

# tell says what went wrong, and what the daemon said last in this run.
tell() {
	echo "run: $1; the end of $log:" >&2
	tail -n "+$((before + 1))" "$log" | tail -n 20 >&2
}

# has_geo reports whether the operator, or an earlier run, has put a file there.
has_geo() { compgen -G "$geo/*.mmdb" >/dev/null; }

# stop asks the daemon to drain, and ends it where that takes more than 15 seconds.
stop() {
	trap - EXIT INT TERM
	if [ -n "$daemon" ]; then
		kill -TERM "$daemon" 2>/dev/null || true
		for _ in $(seq 150); do
			kill -0 "$daemon" 2>/dev/null || break
			sleep 0.1
		done
		kill -KILL "$daemon" 2>/dev/null || true
		wait "$daemon" 2>/dev/null || tell "the daemon did not stop cleanly"
	fi
	[ "$mode" = serve ] || rm -rf "$state"
}
trap stop EXIT
trap 'stop; exit 0' INT TERM
[ "$mode" = serve ] || trap 'stop; exit 130' INT TERM

ready() { curl -fsS -m 1 -o /dev/null "http://$ops/readyz" 2>/dev/null; }

if ready; then
	echo "run: something already answers on $ops: stop it, or set LISTEN, OPS and AUTH" >&2
	exit 1
fi
if ! has_geo && ! scripts/deps.sh geo; then
	echo "run: going on without; the next run tries again" >&2
fi
bin/wary tour --prepare --data "$state"
options=(-data "$state" -score.listen "$listen" -operators.listen "$ops")
options+=(-authorization.listen "$auth" -authorization.demo)
options+=(-proxies 127.0.0.1/32,::1/128) # the tour says where each of its people is, as a proxy in front would
options+=(-authorization.clients "$state/tour/clients.yaml" -authorization.accounts "$state/tour/accounts.yaml")
[ ! -d "$geo" ] || options+=(-geo.dir "$geo")
# Appended: another daemon, refused in a moment because this folder is taken, must not cut the log of the first.
# In a group of its own: Ctrl-C would tell it to stop, and stop would tell it again, which ends it at once.
set -m
bin/waryd "${options[@]}" >>"$log" 2>&1 &
daemon=$!
set +m

for _ in $(seq 300); do
	ready && break
	kill -0 "$daemon" 2>/dev/null || break
	sleep 0.1
done
if ! ready; then
	tell "the daemon did not become ready"
	kill -0 "$daemon" 2>/dev/null || daemon=
	exit 1
fi

toured=0
issuer=https://localhost:${auth##*:} # what the daemon calls itself
bin/wary tour --server "http://$listen" --authorization "$issuer" --operators "http://$ops" --data "$state" || toured=$?
if [ "$mode" = tour ]; then
	exit "$toured"
fi
[ "$toured" -eq 0 ] || echo "run: the tour was not as told (exit code $toured)" >&2
bin/wary tour --open --authorization "$issuer" --data "$state" || true # it has said why not
echo "serving on http://$listen, operators on http://$ops, authorization server on $issuer, log in $log; Ctrl-C stops it"
echo "to see the pages again, later: bin/wary tour --open --authorization $issuer --data $state"
ended=0
wait "$daemon" || ended=$?
daemon=
[ "$ended" -ne 0 ] || exit 0 # it was told to stop, by Ctrl-C or by someone else
tell "the daemon ended by itself"
exit 1
