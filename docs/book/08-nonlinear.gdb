source docs/book/start.gdb
thbreak stop_nonlinear
continue
vma memory
pt memory
pt memory+4096
tbreak fault_file
continue
fault
thbreak stop_after
continue
page memory
fault memory+4096 write
