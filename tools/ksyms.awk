# ksyms.awk - turn `nm -n` of the first link into the kernel's symbol table (kernel/lib/ksyms.h), as assembly.
# Functions only; addresses as their low 32 bits (the image never crosses 4 GiB), sorted as nm -n sorts them.
$2 ~ /^[tTwW]$/ && $3 !~ /^\./ && $3 !~ /^(text_start|text_end)$/ && length($1) >= 8 && $1 !~ /^0*00[0-9a-f][0-9a-f][0-9a-f][0-9a-f][0-9a-f][0-9a-f]$/ {
	address = substr($1, length($1) - 7)
	if (address == last)
		next
	last = address
	addresses[n] = address
	names[n++] = $3
}
END {
	print "\t.section .ksyms, \"a\"\n\t.globl ksym_count, ksym_table, ksym_names\n\t.balign 4"
	printf "ksym_count:\n\t.long %d\nksym_table:\n", n
	for (i = 0; i < n; i++)
		printf "\t.long 0x%s, .L%d - ksym_names\n", addresses[i], i
	print "ksym_names:"
	for (i = 0; i < n; i++)
		printf ".L%d:\t.asciz \"%s\"\n", i, names[i]
	print "\t.section .note.GNU-stack, \"\", @progbits"
}
