/*
 * srcu.pml - read sections that may sleep, against who waits for them: kernel/sync/srcu.h, kernel/sync/srcu.c.
 *
 * Two readers follow a pointer, twice each; a writer twice replaces what it points to, waits for the readers, and frees
 * the old object.
 *
 * Asserted: no reader uses a freed object; the writer does not wait for ever.
 *
 * Mutants:
 *   -DPLAIN_COUNT    a section's beginning is counted by a plain store: the pointer may be read before
 *   -DCOUNT_LATE     it is counted after the pointer was read
 *   -DBEGUN_FIRST    the beginnings are added up before the ends
 *   -DONE_DRAIN      the parity that is about to be used is not drained first
 *   -DWAITING_LATE   the writer looks at the counts and then says that it waits
 */
#define CPUS 3
#define CELLS 5
#define DEPTH 1
#include "tso.pml"

#define WRITER 2

#define BEGUN(reader, idx) ((reader) * 2 + (idx)) /* cells 0 to 3, and in ended[] */
#define POINTER 4                                 /* which object */

#define ROUNDS 2

byte ended[4];
byte period;
bool waiting;
bool freed[ROUNDS + 1];
bool wake; /* the writer, if it waits (wait.pml shows how) */

/* One read section. */
inline section(me)
{
	idx = period & 1; /* srcu_read_lock() */
#ifdef COUNT_LATE
	object = load(me, POINTER);
#endif
#ifdef PLAIN_COUNT
	store(me, BEGUN(me, idx), mem[BEGUN(me, idx)] + 1);
#else
	d_step {
		drained(me);
		mem[BEGUN(me, idx)] = mem[BEGUN(me, idx)] + 1;
	}
#endif
#ifndef COUNT_LATE
	object = load(me, POINTER); /* rcu_read() */
#endif
	assert(!freed[object]);
	d_step { /* srcu_read_unlock() */
		drained(me);
		assert(!freed[object]);
		ended[BEGUN(me, idx)]++;
	}
	if
	:: waiting -> wake = true /* srcu_ended() */
	:: else
	fi;
	d_step {
		object = 0;
		idx = 0;
	}
}

proctype reader(byte me)
{
	byte idx, object;

	section(me);
	section(me)
}

/* drained(): both sums, one counter at a time. */
inline add_up(parity)
{
	open = 0;
#ifdef BEGUN_FIRST
	open = open + mem[BEGUN(0, parity)];
	open = open + mem[BEGUN(1, parity)];
	open = open - ended[BEGUN(0, parity)];
	open = open - ended[BEGUN(1, parity)]
#else
	open = open - ended[BEGUN(0, parity)];
	open = open - ended[BEGUN(1, parity)];
	open = open + mem[BEGUN(0, parity)];
	open = open + mem[BEGUN(1, parity)]
#endif
}

/* drain() */
inline wait_drained(parity)
{
	add_up(parity);
	if
	:: open == 0
	:: else ->
#ifndef WAITING_LATE
		d_step { /* xchg */
			drained(WRITER);
			waiting = true;
		}
#endif
		do /* wait_event() */
		:: wake = false;
			add_up(parity);
			if
			:: open == 0 -> break
			:: else ->
#ifdef WAITING_LATE
				waiting = true;
#endif
				wake
			fi
		od;
		waiting = false
	fi
}

/* srcu_synchronize() */
inline synchronize()
{
	fence(WRITER);
	old = period & 1;
#ifndef ONE_DRAIN
	wait_drained(old ^ 1);
#endif
	period++;
	wait_drained(old)
}

proctype writer()
{
	byte round, old;
	short open;

	do
	:: round == ROUNDS -> break
	:: else ->
		store(WRITER, POINTER, round + 1); /* rcu_assign() */
		synchronize();
		freed[round] = true;
		round++
	od
}

init
{
	atomic {
		run reader(0);
		run reader(1);
		run writer();
		run drain(0);
		run drain(1);
		run drain(WRITER)
	}
}
