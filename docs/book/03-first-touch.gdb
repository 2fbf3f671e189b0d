source docs/book/start.gdb
thbreak stop_touch
continue
vma memory
pt memory
tbreak mm_fault_user
continue
fault
tbreak mm_fault_user
continue
pt addr
fault
thbreak stop_after
continue
pt memory
