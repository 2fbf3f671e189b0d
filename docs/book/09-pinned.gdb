source docs/book/start.gdb
thbreak stop_pin
continue
pins
page memory
