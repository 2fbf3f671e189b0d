source docs/book/start.gdb
thbreak stop_store
continue
pt memory
dirty
tbreak fault_mkwrite
continue
fault
thbreak stop_after
continue
pt memory
dirty
