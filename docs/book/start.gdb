# Sourced by every stop: the commands of tools/gdb and the symbols of the program, once.
python
import os
if not gdb.convenience_variable("walk_ready"):
    kernel = gdb.current_progspace().filename
    top = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(kernel))))
    gdb.execute(f"source {top}/tools/gdb/pteron.py")
    gdb.execute(f"add-symbol-file {os.path.dirname(kernel)}/user/walk", to_string=True)
    gdb.set_convenience_variable("walk_ready", 1)
end
