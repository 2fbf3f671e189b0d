source docs/book/start.gdb
thbreak stop_cow
continue
page memory
pt memory 1
set $page = (unsigned long)memory
tbreak fault_cow if f->va == $page
continue
fault
locks
thbreak stop_after
continue
page memory
pt memory 2
