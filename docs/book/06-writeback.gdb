source docs/book/start.gdb
thbreak stop_writeback
continue
dirty
tbreak clean_entry
continue
bt -frame-arguments none -frame-info short-location 6
locks
thbreak stop_after
continue
trace
pt memory
dirty
