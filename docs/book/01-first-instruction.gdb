source docs/book/start.gdb
thbreak *multiboot_entry
continue
x/2i $pc
p/x $cr0 & 0x80000000
thbreak *entry_high
continue
p/x $cr0 & 0x80000000
pt entry_high
thbreak kernel_main
continue
log 2
