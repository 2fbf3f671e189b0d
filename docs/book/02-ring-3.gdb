source docs/book/start.gdb
thbreak stop_ring3
continue
p $cs & 3
maps
pt $pc
vma $sp
