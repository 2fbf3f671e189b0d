source docs/book/start.gdb
thbreak stop_shootdown
continue
pt memory
tasks 3
set $memory = (unsigned long)memory
tbreak ipi_call
continue
bt -frame-arguments none -frame-info short-location 5
pt $memory
tbreak tlb_flush_local_page thread 2
continue
p cpus[1].irq_depth
locks
thbreak stop_after
continue
fault memory write
