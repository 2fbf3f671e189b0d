source docs/book/start.gdb
thbreak stop_swap
continue
pt memory
fault memory read
tbreak swap_read
continue
bt -frame-arguments none -frame-info short-location 4
locks
thbreak stop_after
continue
page memory
