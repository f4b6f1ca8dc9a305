#!/usr/bin/env bash
# Installs Debian's chromium, a browser in which signals/collector is tested, without a window: nothing here runs it
# otherwise, and nothing of it comes into DEST. What is installed already is left as it is. Only root on a system with
# apt-get can: elsewhere install chromium or google-chrome into PATH. (Ubuntu's package of the name is a snap, which
# does not work everywhere: there take Google's.)
set -euo pipefail

for name in chromium-headless-shell chromium chromium-browser google-chrome; do
	command -v "$name" >/dev/null && exit 0
done
if ! command -v apt-get >/dev/null || [ "$(id -u)" != 0 ]; then
	echo "deps-chromium: there is no Chromium: install it (on Debian as root: apt-get install chromium-headless-shell)" >&2
	exit 1
fi
# The headless one is enough; older releases have only the whole browser.
install() {
	local package
	for package in chromium-headless-shell chromium; do
		echo "deps-chromium: installing $package" >&2
		apt-get install -y -q --no-install-recommends "$package" >&2 && return
	done
	return 1
}
install || { apt-get update -q >&2 && install; }
