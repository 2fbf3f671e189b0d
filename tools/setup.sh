#!/bin/sh
# Installs what building, running and testing Pteron needs and the machine lacks (Debian, Ubuntu), or names it.
#   tools/setup.sh [--quiet]
set -eu

# command the package gives -> package
needed() {
	cat <<-LIST
	x86_64-linux-gnu-gcc      gcc
	i686-linux-gnu-gcc        gcc-i686-linux-gnu
	/usr/i686-linux-gnu/lib/libc.a  libc6-dev-i386-cross
	/usr/include/stdio.h      libc6-dev
	python3                   python3
	qemu-system-x86_64        qemu-system-x86
	qemu-system-i386          qemu-system-x86
	/usr/share/OVMF/OVMF_CODE_4M.fd  ovmf
	grub-mkrescue             grub-common
	/usr/lib/grub/i386-pc     grub-pc-bin
	/usr/lib/grub/x86_64-efi  grub-efi-amd64-bin
	xorriso                   xorriso
	mformat                   mtools
	mke2fs                    e2fsprogs
	debugfs                   e2fsprogs
	mkswap                    util-linux
	qemu-img                  qemu-utils
	gdb                       gdb
	musl-gcc                  musl-tools
	cppcheck                  cppcheck
	clang-format              clang-format
	spin                      spin
	LIST
}

present() {
	case $1 in
	/*) [ -e "$1" ] ;;
	*) command -v "$1" >/dev/null 2>&1 || [ -x "/sbin/$1" ] || [ -x "/usr/sbin/$1" ] ;;
	esac
}

missing=$(needed | while read -r what package; do present "$what" || echo "$package"; done | sort -u | tr '\n' ' ')
[ -n "$missing" ] || exit 0

if ! command -v apt-get >/dev/null 2>&1; then
	echo "Pteron needs the equivalents of these Debian packages: $missing" >&2
	exit 1
fi
as_root=
if [ "$(id -u)" != 0 ]; then
	if ! command -v sudo >/dev/null 2>&1; then
		echo "Please install, as root:  apt-get install $missing" >&2
		exit 1
	fi
	as_root=sudo
fi
echo "installing: $missing"
export DEBIAN_FRONTEND=noninteractive
$as_root apt-get update -qq || true # an index that fails alone (a foreign one, say) must not stop us
$as_root apt-get install -y -qq --no-install-recommends $missing >/dev/null
