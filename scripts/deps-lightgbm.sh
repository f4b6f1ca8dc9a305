#!/usr/bin/env bash
# Fetches LightGBM's library into DEST/lightgbm (default DEST: data), where models/train looks for it. It comes out of the
# PyPI wheel of the package lightgbm, which must have the digest below; nothing is done when that very wheel is unpacked
# already. To use a library of your own, leave this folder alone and set WARY_LIGHTGBM to its path.
# The wheel expects the system to have GNU's OpenMP runtime (libgomp): on Debian, root gets it installed here.
# Packages come through pip, as it is set up on this machine.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

version=4.7.0
case $(uname -sm) in
"Linux x86_64")
	platform=manylinux_2_28_x86_64
	wheel_sha256=d23e922acd891e77212e4d0fbcee9ba973c96dee479491341d05ba595357ebb7
	;;
"Linux aarch64")
	platform=manylinux2014_aarch64
	wheel_sha256=d4529acec5c6fefe4768302a529707d0ead90f6a6f42df694b856212e09695b8
	;;
*)
	echo "deps-lightgbm: no wheel is known here for $(uname -sm): set WARY_LIGHTGBM to a lib_lightgbm of your own" >&2
	exit 1
	;;
esac
dir=${1:-data}/lightgbm

library() {
	if [ -e "$dir/lib_lightgbm.so" ] && [ "$(cat "$dir/wheel.sha256" 2>/dev/null)" = "$wheel_sha256" ]; then
		return
	fi
	python3 -m pip --version >/dev/null 2>&1 || { echo "deps-lightgbm: python3 with pip is needed to fetch the wheel" >&2 && return 1; }
	mkdir -p "$dir"
	# Beside what is made, so that everything appears by a rename.
	tmp=$(mktemp -d "$dir/.fetch.XXXXXX")
	trap 'rm -rf "$tmp"' EXIT
	echo "deps-lightgbm: fetching lightgbm $version" >&2
	python3 -m pip download --quiet --disable-pip-version-check --no-deps --only-binary=:all: --platform "$platform" \
		--dest "$tmp" "lightgbm==$version"
	local wheel=("$tmp"/*.whl)
	if [ "$(sha256sum "${wheel[0]}" | cut -d ' ' -f 1)" != "$wheel_sha256" ]; then
		echo "deps-lightgbm: the wheel of lightgbm $version has not the digest $wheel_sha256" >&2
		return 1
	fi
	python3 -m zipfile -e "${wheel[0]}" "$tmp/wheel"
	rm -f "$dir/wheel.sha256"
	mv "$tmp/wheel/lightgbm-$version.dist-info/licenses/LICENSE" "$dir/LICENSE"
	mv "$tmp/wheel/lightgbm/lib/lib_lightgbm.so" "$dir/lib_lightgbm.so"
	echo "$wheel_sha256" >"$dir/wheel.sha256"
}

openmp() {
	PATH=$PATH:/usr/sbin:/sbin ldconfig -p | grep libgomp.so.1 >/dev/null && return
	if ! command -v apt-get >/dev/null || [ "$(id -u)" != 0 ]; then
		echo "deps-lightgbm: libgomp.so.1 is missing: install it (on Debian and Ubuntu as root: apt-get install libgomp1)" >&2
		return 1
	fi
	echo "deps-lightgbm: installing libgomp1" >&2
	apt-get install -y -q --no-install-recommends libgomp1 >&2 ||
		{ apt-get update -q >&2 && apt-get install -y -q --no-install-recommends libgomp1 >&2; }
}

library
openmp
