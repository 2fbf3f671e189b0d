#!/bin/sh
# One hybrid ISO (SeaBIOS and UEFI) with the kernels it is given and a root file system for each.
#   tools/make_iso.sh OUT.iso DEFAULT NAME=KERNEL.elf,ROOT.img ... [-- kernel arguments]
# DEFAULT is the name of the entry that boots at once; the menu offers the others.
set -eu
out=$1 default=$2
shift 2
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
mkdir -p "$dir/boot/grub"
entries=
while [ $# -gt 0 ] && [ "$1" != -- ]; do
	name=${1%%=*} files=${1#*=}
	cp "${files%%,*}" "$dir/boot/$name.elf"
	gzip -1 -c "${files#*,}" >"$dir/boot/$name.img.gz"
	entries="$entries $name"
	shift
done
[ $# -gt 0 ] && shift
{
	echo 'insmod all_video'
	echo 'insmod gzio'
	echo 'serial --unit=0 --speed=115200'
	echo 'terminal_input serial console'
	echo 'terminal_output serial console'
	echo 'set timeout=0'
	echo "set default='Pteron $default'"
	for name in $entries; do
		echo "menuentry \"Pteron $name\" {"
		echo "	multiboot2 /boot/$name.elf root=ram0 $*"
		echo "	module2 /boot/$name.img.gz root"
		echo '}'
	done
} >"$dir/boot/grub/grub.cfg"
grub-mkrescue -o "$out.tmp" "$dir" --fonts= --locales= --themes= \
	--install-modules="normal multiboot2 serial terminal all_video gzio iso9660 part_msdos search search_fs_uuid test configfile" \
	>/dev/null 2>"$out.log" || { cat "$out.log" >&2; exit 1; }
rm -f "$out.log"
mv "$out.tmp" "$out"
