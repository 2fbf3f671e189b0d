/*
 * pae.pml - an entry of two words (i386 with PAE): arch/x86/include/asm/pte_pae.h.
 *
 *   writer      under the table's lock: hw_pte_get_and_clear(), hw_pte_set()
 *   reader      without it: hw_pte_get_lockless(), interrupts off
 *   hardware    reads and writes both words at once
 *
 * Two pages whose low words are equal, and two entries without a page (a file entry and a swap entry, say).
 *
 * Asserted: hardware never finds a live entry that nobody made, and the reader never returns one.  An entry without a
 * page is returned as somebody made it if it changed no more than once meanwhile.
 *
 * Mutants:
 *   -DM20_ORDER      hw_pte_set() stores the low word first: the entry is live before it is complete
 *   -DM20_LOOK       the reader does not look at the low word again
 *   -DNO_ZERO        hw_pte_set() does not store 0 first
 *   -DNO_SHOOTDOWN   a page's entry may be followed by another one without waiting for readers between
 */
#define CPUS 1
#define CELLS 2
#define DEPTH 3
#include "tso.pml"

#define LOW 0
#define HIGH 1
#define WRITER 0

/* Low words, and the high words that belong to them */
#define NONE 0
#define PAGE 1  /* P is set: live.  High 1 or 2 */
#define SOFT1 2 /* High 3 */
#define SOFT2 3 /* High 4 */

#define made(low, high) ((low) == NONE || ((low) == PAGE && ((high) == 1 || (high) == 2)) || \
	((low) == SOFT1 && (high) == 3) || ((low) == SOFT2 && (high) == 4))

bool reading;      /* the reader has interrupts off */
byte begun, ended; /* changes */

/* hw_pte_set() => not live */
inline hw_pte_set(low, high)
{
#ifdef M20_ORDER
	store(WRITER, LOW, low);
	store(WRITER, HIGH, high)
#else
#ifndef NO_ZERO
	store(WRITER, LOW, 0);
#endif
	store(WRITER, HIGH, high);
	store(WRITER, LOW, low)
#endif
}

/* hw_pte_get_and_clear(): cmpxchg8b */
inline hw_pte_clear()
{
	d_step {
		drained(WRITER);
		mem[LOW] = 0;
		mem[HIGH] = 0;
	}
}

/* Every kind of change, a few times, each under the table's lock. */
proctype writer()
{
	bool flushed = true; /* since an entry was live */

	do
	:: begun == 4 -> break
	:: begun < 4 ->
		begun++;
		if
		:: load(WRITER, LOW) == PAGE ->
			hw_pte_clear();
			flushed = false
		:: else
		fi;
		if
		:: skip
		:: hw_pte_set(SOFT1, 3)
		:: hw_pte_set(SOFT2, 4)
		:: true ->
#ifndef NO_SHOOTDOWN
			if
			:: !flushed -> d_step { /* the flush waits for who has interrupts off */
				drained(WRITER) && !reading;
				flushed = true;
			}
			:: else
			fi;
#endif
			if
			:: hw_pte_set(PAGE, 1)
			:: hw_pte_set(PAGE, 2)
			fi
		fi;
		d_step { /* the next spin_lock() */
			drained(WRITER);
			ended = begun;
		}
	od
}

/* hw_pte_get_lockless() */
proctype reader()
{
	byte low, high, before;

	d_step {
		reading = true;
		before = ended;
	}
	do
	:: low = mem[LOW];
		high = mem[HIGH];
#ifdef M20_LOOK
		break
#else
		if
		:: low == mem[LOW] -> break
		:: else
		fi
#endif
	od;
	assert(made(low, high) || (low != PAGE && begun > before + 1));
	reading = false
}

#define third_frame (!made(mem[LOW], mem[HIGH]) && mem[LOW] == PAGE)

proctype watch()
{
end:
	d_step { third_frame -> assert(!third_frame) }
}

init
{
	atomic {
		run writer();
		run reader();
		run watch();
		run drain(WRITER)
	}
}
