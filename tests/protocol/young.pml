/*
 * young.pml - clearing the accessed bit of an entry that hardware writes to (RF.33, R4.3).
 *
 *   program     loads and stores; its CPU sets A, or A and D, in the entry by a locked instruction of its own, unless
 *               its TLB remembers that they are set
 *   kernel      hw_pte_test_and_clear_young() (arch/x86/include/asm/pte_word.h, pte_pae.h), then the flush
 *               (debug_clear_young() in mm/debug/entry.c; whoever ages pages)
 *
 * Asserted: a page that was stored to has D in its entry; a page that was touched after a round has A.
 *
 * Mutants:
 *   -DM21            a load and a plain store instead of `lock and'
 *   -DNO_FLUSH       the CPUs are not told: what their TLBs remember keeps them from setting A again
 *   -DFLUSH_FIRST    they are told before the bit is cleared
 */
#define CPUS 1
#define CELLS 1
#define DEPTH 1
#include "tso.pml"

#define PTE 0
#define KERNEL 0

#define A 1
#define D 2

bool tlb, tlb_dirty; /* the program's CPU remembers the translation, and that D is set */
bool stored;         /* the program has */
bool touched;        /* since the last round */
bool over;           /* the last round is */

proctype program()
{
end:
	do
	:: d_step { /* load */
		if
		:: !tlb ->
			mem[PTE] = mem[PTE] | A;
			tlb = true;
			tlb_dirty = mem[PTE] & D
		:: else
		fi;
		touched = true;
	}
	:: d_step { /* store */
		if
		:: !tlb || !tlb_dirty ->
			mem[PTE] = mem[PTE] | A | D;
			tlb = true;
			tlb_dirty = true
		:: else
		fi;
		touched = true;
		stored = true;
	}
	od
}

inline flush()
{
	d_step {
		drained(KERNEL);
		tlb = false;
		tlb_dirty = false;
		touched = false;
	}
}

proctype kernel()
{
	byte old, round;

	do
	:: round == 2 -> break
	:: else ->
		round++;
#ifdef FLUSH_FIRST
		flush();
#endif
		if
		:: load(KERNEL, PTE) & A -> /* pte_young(hw_pte_get()) */
#ifdef M21
			old = load(KERNEL, PTE);
			store(KERNEL, PTE, old & D)
#else
			d_step { /* lock and */
				drained(KERNEL);
				mem[PTE] = mem[PTE] & D;
			}
#endif
		:: else
		fi;
#if !defined(NO_FLUSH) && !defined(FLUSH_FIRST)
		flush() /* pgtable_flush_range() */
#else
		touched = false
#endif
	od;
	over = true
}

#define dirty_lost (stored && !(mem[PTE] & D))
#define age_lost (over && touched && !(mem[PTE] & A))

proctype watch()
{
end:
	if
	:: d_step { dirty_lost -> assert(!dirty_lost) }
	:: d_step { age_lost -> assert(!age_lost) }
	fi
}

init
{
	atomic {
		run program();
		run watch();
		run drain(KERNEL);
		run kernel()
	}
}
