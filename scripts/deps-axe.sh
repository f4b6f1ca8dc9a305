#!/usr/bin/env bash
# Fetches axe-core (MPL 2.0, Deque Systems), which looks for pages that not everybody can use, into DEST/axe (default
# DEST: data). authz/ceremony tests its pages with it; nothing of it is served or built in. What is there already is
# left as it is. The package comes through npm, as it is set up on this machine, and must have the digest below.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

package=axe-core@4.14.1
digest=e6b0ce02b84d892e2e33e403485e7f3d6c29e2be6df65daf44d89ba564139745

axe=${1:-data}/axe
[ ! -e "$axe/axe.min.js" ] || exit 0
command -v npm >/dev/null || { echo "deps-axe: npm is needed to fetch $package" >&2 && exit 1; }
mkdir -p "$axe"
# Beside what is made, so that everything appears by a rename.
tmp=$(mktemp -d "$axe/.fetch.XXXXXX")
trap 'rm -rf "$tmp"' EXIT

sha256() {
	if command -v sha256sum >/dev/null; then sha256sum "$1"; else shasum -a 256 "$1"; fi | cut -d ' ' -f 1
}

echo "deps-axe: fetching $package" >&2
archive=$tmp/$(cd "$tmp" && npm pack --loglevel=error --fetch-retries=1 --fetch-retry-mintimeout=1000 "$package" | tail -n 1)
if [ "$(sha256 "$archive")" != "$digest" ]; then
	echo "deps-axe: $package has not the digest $digest" >&2
	exit 1
fi
tar -xzf "$archive" -C "$tmp" package/axe.min.js package/LICENSE
mv "$tmp/package/LICENSE" "$axe/LICENSE"
mv "$tmp/package/axe.min.js" "$axe/axe.min.js"
