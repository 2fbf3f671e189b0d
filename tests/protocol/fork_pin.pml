/*
 * fork_pin.pml - a lockless pin against fork (thread 1, R1.5): a page is pinned, or shared with a child, not both.
 *
 * One private page, exclusive, mapped at one address, writable or not.  Two CPUs:
 *
 *   pinner   pins it to read or to write, without a lock (mm/service/pin_fast.c)
 *   forker   shares it, unless it is pinned: then it makes a copy (mm/space/fork.c)
 *
 * The entry's lock is the forker's all the time, and the flush at fork's end comes too late to help.  If the page is not writable,
 * the entry is the same before and after.
 *
 * Mutants:
 *   -DASK_FIRST      fork looks for pins before it empties the entry
 *   -DKEEP_ENTRY     fork only takes RW away, and does not empty the entry
 *   -DFLAG_LAST      fork sets the entry before it clears the flag
 *   -DNO_LOOK        the pin does not look again
 *   -DNO_FLAG        the pin looks at the entry again, but not at the flag
 *   -DFLAG_FIRST     at the flag first, then at the entry
 *   -DPLAIN_COUNT    it counts by a plain store: no full barrier before the second look
 */
#define CPUS 2
#define CELLS 2
#define DEPTH 2
#include "tso.pml"

#define PTE 0
#define PINS 1

#define PINNER 0
#define FORKER 1

#define P 4
#define RW 1

bool exclusive = true; /* PG_ANON_EXCLUSIVE */
bool held;             /* a pin is held */
bool shared;           /* a child has the page, too */

/* still_fit() */
inline look_again(entry, same)
{
#ifdef NO_LOOK
	same = true
#else
#ifdef FLAG_FIRST
	same = exclusive;
	same = same && load(PINNER, PTE) == entry
#else
	same = load(PINNER, PTE) == entry;
#ifndef NO_FLAG
	same = same && exclusive
#endif
#endif
#endif
}

/* pin_entry() */
proctype pinner()
{
	byte entry;
	bool write, same;

	if
	:: write = true
	:: skip
	fi;
	entry = load(PINNER, PTE);
	if
	:: entry != 0 && (!write || entry & RW) && exclusive -> /* fit_page() */
#ifdef PLAIN_COUNT
		store(PINNER, PINS, 1);
#else
		d_step { /* pin_count() */
			drained(PINNER);
			mem[PINS] = 1;
		}
#endif
		look_again(entry, same);
		if
		:: same -> held = true
		:: else -> d_step { /* give_back() */
			drained(PINNER);
			mem[PINS] = 0;
		}
		fi
	:: else
	fi
}

/* share_page() */
proctype forker()
{
	byte old;
	bool pinned;

#ifdef ASK_FIRST
	pinned = load(FORKER, PINS);
#endif
#ifdef KEEP_ENTRY
	d_step {
		drained(FORKER);
		old = mem[PTE];
		mem[PTE] = old & P;
	}
#else
	exchange(FORKER, PTE, 0, old); /* A1: hw_pte_get_and_clear() */
#endif
#ifndef ASK_FIRST
	pinned = load(FORKER, PINS); /* A2 */
#endif
	if
	:: pinned -> store(FORKER, PTE, old)
	:: else ->
#ifdef FLAG_LAST
		store(FORKER, PTE, old & P);
#endif
		d_step { /* A3: page_clear() */
			drained(FORKER);
			exclusive = false;
		}
#ifndef FLAG_LAST
		store(FORKER, PTE, old & P); /* A4: hw_pte_set() */
#endif
		shared = true
	fi
}

proctype watch()
{
end:
	d_step { held && shared -> assert(!(held && shared)) }
}

init
{
	atomic {
		if
		:: mem[PTE] = P
		:: mem[PTE] = P | RW
		fi;
		run pinner();
		run forker();
		run watch();
		run drain(PINNER);
		run drain(FORKER)
	}
}
