# syscall_names.awk - the names of Linux's system calls of one width, from the tool chain's <asm/unistd.h> as `cpp -dM` lists
# it, as a C file: what programs asked for can be told by name (/proc/unimplemented).

BEGIN {
	print "#include \"kernel/proc/process.h\"\nconst char *const syscall_names[] = {"
}

$1 == "#define" && $2 ~ /^__NR_/ && $3 ~ /^[0-9]+$/ {
	printf "[%d] = \"%s\",\n", $3, substr($2, 6)
	if ($3 + 0 > last)
		last = $3 + 0
}

END {
	printf "};\nconst unsigned nr_syscall_names = %d;\n", last + 1
}
