#!/usr/bin/env bash
# Runs the tests of the model kernels on an emulated processor with AVX-512 VBMI, for machines that have none: Bochs boots a
# Debian kernel whose first process is the test binary. It takes ten minutes or so, and needs Debian's packages named below;
# the kernel is fetched as a package and not installed. TESTS chooses others, MINUTES how long they may take (default: 60).
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

tests=${TESTS:-'^Test(Kernels|Masks|ScoresAreLightGBMs|Contributions|Goldens)'}
need=(bochs bochsbios vgabios isolinux syslinux-common xorriso cpio)
for package in "${need[@]}"; do
	if ! dpkg -s "$package" >/dev/null 2>&1; then
		echo "avx512-emulated: apt-get install ${need[*]}" >&2
		exit 1
	fi
done

work=$(mktemp -d)
bochs=
cleanup() {
	if [ -n "$bochs" ]; then
		kill -9 "$bochs" 2>/dev/null || true
		wait "$bochs" 2>/dev/null || true
	fi
	rm -rf "$work"
}
trap cleanup EXIT
mkdir -p "$work"/{deb,kernel,root/shared/data,iso/isolinux}

# What the first process finds: itself, its testdata, and the shared models where a test looks for them (../../shared).
CGO_ENABLED=0 GOARCH=amd64 "${GO:-go}" test -c -ldflags='-s -w' -o "$work/root/init" ./models
cp -r models/testdata "$work/root/"
[ ! -d ../shared/data/models ] || cp -r ../shared/data/models "$work/root/shared/data/"
(cd "$work/root" && find . | cpio -o -H newc --quiet | gzip -1 >../iso/initrd)

image=$(apt-cache depends linux-image-cloud-amd64 | awk '/Depends: linux-image-/ {print $2; exit}')
(cd "$work/deb" && apt-get download "$image" >/dev/null 2>&1)
dpkg -x "$work"/deb/*.deb "$work/kernel"
cp "$work"/kernel/boot/vmlinuz-* "$work/iso/vmlinuz"

# Bochs 2.7 tells sizes of XSAVE's compact forms and of PKU that Linux rightly doubts, and it would do without vectors.
cp /usr/lib/ISOLINUX/isolinux.bin /usr/lib/syslinux/modules/bios/ldlinux.c32 "$work/iso/isolinux/"
cat >"$work/iso/isolinux/isolinux.cfg" <<-CFG
	default linux
	label linux
	  kernel /vmlinuz
	  append initrd=/initrd console=ttyS0,115200 clearcpuid=pku,xsavec,xsaves mitigations=off tsc=unstable nosmp loglevel=4 panic=-1 -- -test.v -test.timeout=0 -test.run=$tests
CFG
xorriso -as mkisofs -quiet -o "$work/boot.iso" -b isolinux/isolinux.bin -c isolinux/boot.cat \
	-no-emul-boot -boot-load-size 4 -boot-info-table "$work/iso" 2>/dev/null

# The display is one that nobody has to look at; the serial port is the output.
serial=$work/serial.txt
: >"$serial"
cat >"$work/bochsrc" <<-RC
	display_library: rfb, options="timeout=0"
	cpu: model=corei3_cnl, count=1, ips=200000000
	memory: guest=1024, host=1024
	romimage: file=/usr/share/bochs/BIOS-bochs-latest
	vgaromimage: file=/usr/share/bochs/VGABIOS-lgpl-latest
	boot: cdrom
	ata0: enabled=1, ioaddr1=0x1f0, ioaddr2=0x3f0, irq=14
	ata0-master: type=cdrom, path=$work/boot.iso, status=inserted
	com1: enabled=1, mode=file, dev=$serial
	sound: driver=dummy
	speaker: enabled=0
	log: $work/bochs.log
	panic: action=fatal
	error: action=ignore
	info: action=ignore
	clock: sync=none
RC
echo c >"$work/commands" # Debian's Bochs starts in its debugger
bochs -q -f "$work/bochsrc" -rc "$work/commands" >"$work/bochs.out" 2>&1 </dev/null &
bochs=$!

# The kernel panics when its first process ends, and says with what exit code; the last of its output may be lost.
deadline=$((SECONDS + 60 * ${MINUTES:-60}))
while ! grep -aqE 'Kernel panic.*exitcode=0x[0-9a-f]{8}' "$serial"; do
	if [ $SECONDS -ge $deadline ] || ! kill -0 "$bochs" 2>/dev/null; then
		tail -n 20 "$serial" "$work/bochs.out"
		echo "avx512-emulated: the tests did not end" >&2
		exit 1
	fi
	sleep 2
done
grep -a -e '^ *--- ' -e 'kernels \[' -e '^ .*_test.go:' -e '^FAIL' "$serial" | tr -d '\r'
if ! grep -aq 'kernels \[avx512 ' "$serial"; then
	echo "avx512-emulated: no kernel of AVX-512 was chosen" >&2
	exit 1
fi
if ! grep -aq 'Kernel panic.*exitcode=0x00000000' "$serial"; then
	echo "avx512-emulated: FAIL" >&2
	exit 1
fi
echo "avx512-emulated: PASS"
