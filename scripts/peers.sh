#!/usr/bin/env bash
# Makes the peers of our kernels under data/peers, and measures the models beside them: onnxruntime, and what lleaves and
# tl2cgen (plain and quantized) compile out of the models in ../shared/data/models, all called by loops in C
# (bench/peers/peers.c). What is made already is kept; SCORE=no only makes.
# It needs python3 (3.11 to 3.13, with venv and pip) and gcc, 1 GB of disk and, the first time, ten minutes, most of them
# for what lleaves makes of the larger model. LightGBM itself comes by `make deps`. Packages come through pip, as it is set
# up on this machine.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

models=../shared/data/models
source=bench/peers
out=data/peers

need() { command -v "$1" >/dev/null || { echo "peers: $1 is needed" >&2 && exit 1; }; }
say() { echo "peers: $*" >&2; }

# made FILE COMMAND... runs the command unless the file is there; the last word of the command is the name to write.
made() {
	local file=$1 tmp=$1.new
	shift
	[ -e "$file" ] && return
	say "$file"
	rm -rf "$tmp"
	"$@" "$tmp"
	mv "$tmp" "$file"
}

environment() {
	if ! cmp -s "$source/requirements.txt" "$out/requirements.txt"; then
		say "installing $(grep -c == "$source/requirements.txt") packages into $out/venv"
		rm -rf "$out/venv"
		python3 -m venv "$out/venv"
		"$out/venv/bin/pip" install --quiet --disable-pip-version-check -r "$source/requirements.txt"
		cp "$source/requirements.txt" "$out/requirements.txt"
	fi
	local runtime=("$out"/venv/lib/python3*/site-packages/onnxruntime/capi/libonnxruntime.so.*)
	ln -sfn "${runtime[0]#"$out"/}" "$out/libonnxruntime.so"
}

loops() {
	[ "$out/libpeers.so" -nt "$source/peers.c" ] && return
	say "$out/libpeers.so"
	gcc -std=gnu11 -O2 -Wall -Wextra -fPIC -shared -o "$out/libpeers.so" "$source/peers.c" -lm -ldl
}

unpack() { zcat "$models/$1.txt.gz" >"$2"; }
convert() { "$out/venv/bin/python" "$source/convert.py" "$1" "$out/$2.txt" "$3" >&2; }
link() { gcc -O3 -fPIC -shared "${@:1:$#-1}" -lm -o "${!#}"; }

# What follows a model's name is where bench/figures looks for it.
peers_of() {
	local name=$1 kind
	made "$out/$name.txt" unpack "$name"
	made "$out/$name.lleaves.o" convert lleaves "$name"
	made "$out/$name.lleaves.so" link "$out/$name.lleaves.o"
	for kind in tl2cgen tl2cgen-q; do
		made "$out/$name.$kind" convert "$kind" "$name"
		made "$out/$name.$kind.so" link "$out/$name.$kind"/*.c
	done
	made "$out/$name.onnx" convert onnxruntime "$name"
}

need python3
need gcc
[ -d "$models" ] || { say "there are no models in $models" && exit 1; }
mkdir -p "$out"
environment
loops
for model in "$models"/*.txt.gz; do
	peers_of "$(basename "$model" .txt.gz)"
done
[ "${SCORE:-yes}" = no ] || exec "${GO:-go}" run ./bench/figures -only model
