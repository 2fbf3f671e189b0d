/*
 * tso.pml - memory as x86 has it, for the models in this folder: every CPU has a store buffer.
 *
 * A store goes to the end of its CPU's buffer, and from there to memory some time later, oldest first.  A load takes
 * the newest store to that cell from its own CPU's buffer, or else memory.  So the one surprise is: a load may be done
 * before an older store is seen by anybody else.  fence() waits until the buffer is empty; so does every locked
 * instruction (xchg, lock or, lock cmpxchg, ...).
 *
 * The including file defines CPUS, CELLS (memory that is stored to without a lock prefix; everything else is an
 * ordinary variable, changed by locked instructions only) and DEPTH (of a buffer; a store that finds it full waits).
 * It must start one drain process for each CPU that stores to cells.
 */
byte mem[CELLS];
chan buffer[CPUS] = [DEPTH] of {byte, byte};
byte pending[CPUS * CELLS]; /* stores to that cell in that CPU's buffer */
byte newest[CPUS * CELLS];  /* the last of them */

#define AT(cpu, cell) ((cpu) * CELLS + (cell))

/* The CPU's view of a cell. An expression. */
#define load(cpu, cell) (pending[AT(cpu, cell)] -> newest[AT(cpu, cell)] : mem[cell])

/* An expression that can be passed only with the buffer empty: guards every locked instruction. */
#define drained(cpu) empty(buffer[cpu])

/* A plain store. */
inline store(cpu, cell, value)
{
	d_step {
		nfull(buffer[cpu]);
		newest[AT(cpu, cell)] = value;
		pending[AT(cpu, cell)]++;
		buffer[cpu]!cell, newest[AT(cpu, cell)];
	}
}

/* cpu_mb() */
inline fence(cpu)
{
	drained(cpu)
}

/* xchg */
inline exchange(cpu, cell, value, old)
{
	d_step {
		drained(cpu);
		old = mem[cell];
		mem[cell] = value;
	}
}

/* kernel/sync/spinlock.h: xchg to take it, a plain store to let go. */
inline spin_lock(cpu, cell)
{
	d_step {
		drained(cpu) && mem[cell] == 0;
		mem[cell] = 1;
	}
}

inline spin_unlock(cpu, cell)
{
	store(cpu, cell, 0)
}

/* The hardware of one CPU: its oldest store reaches memory. */
proctype drain(byte cpu)
{
	byte cell, value;

end:
	do
	:: d_step {
		buffer[cpu]?cell, value;
		mem[cell] = value;
		pending[AT(cpu, cell)]--;
		if
		:: pending[AT(cpu, cell)] == 0 -> newest[AT(cpu, cell)] = 0
		:: else
		fi;
		cell = 0;
		value = 0;
	}
	od
}
