#!/usr/bin/env bash
# Installs Debian's redis-server, which bench/redis starts by itself, on a socket of its own, to compare the state with:
# nothing here runs it as a service, and nothing of it comes into DEST. What is installed already is left as it is.
# Only root on a system with apt-get can: elsewhere install a redis-server of 6 or later into PATH.
set -euo pipefail

command -v redis-server >/dev/null && exit 0
if ! command -v apt-get >/dev/null || [ "$(id -u)" != 0 ]; then
	echo "deps-redis: there is no redis-server: install it (on Debian and Ubuntu as root: apt-get install redis-server)" >&2
	exit 1
fi
echo "deps-redis: installing redis-server" >&2
# RUNLEVEL keeps the package from starting a server.
RUNLEVEL=1 apt-get install -y -q --no-install-recommends redis-server >&2 ||
	{ apt-get update -q >&2 && RUNLEVEL=1 apt-get install -y -q --no-install-recommends redis-server >&2; }
