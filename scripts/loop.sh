#!/bin/sh
# The loop on simulated weeks: an attack that is new, learnt from labels that come days
# later (docs/loop.md). LOOP holds more flags, such as "-users 2000 -family sim_swap".
set -eu
cd "$(dirname "$0")/.."
[ -e data/lightgbm/lib_lightgbm.so ] || [ -n "${WARY_LIGHTGBM:-}" ] || scripts/deps.sh lightgbm
# shellcheck disable=SC2086 # flags are words
exec go run ./bench/loop ${LOOP:-}
