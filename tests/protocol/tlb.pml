/*
 * tlb.pml - the mask of CPUs against the flush (RF.11): mm/pgtable/pgtable.c.
 *
 * One tree with one entry, three CPUs:
 *
 *   loader      two of them: switches among threads of the tree, kernel threads that borrow it, threads of another tree
 *   flusher     empties the entry, flushes, frees the page; later destroys the tree
 *
 * Hardware may walk the tree and remember the entry whenever a CPU has it loaded, whoever runs there.
 *
 * Asserted: once the page is free, no CPU remembers the entry; once the tree is destroyed, no CPU has it loaded.
 *
 * Mutants:
 *   -DLOAD_FIRST     the loader loads the tree and then sets its bit
 *   -DPLAIN_BIT      it sets the bit by a plain store, and the load is no barrier
 *   -DLEAVE_FIRST    it clears its bit and then loads the other tree
 *   -DIRQS_ON        pgtable_load() can be interrupted
 *   -DMASK_FIRST     the flusher reads the mask before it empties the entry
 *   -DNO_FENCE       it has no full barrier between the two
 *   -DNO_WAIT        it does not wait for the answers
 *   -DLAZY_SPARED    it does not interrupt a CPU that has only borrowed the tree
 *   -DM2             it frees the page before it flushes
 *   -DNO_EVICT       the tree's end does not make a borrower let go
 */
#define CPUS 3
#define CELLS 2
#define DEPTH 2
#include "tso.pml"

#define PTE 0
#define MASK 1 /* cpu_mask */

#define FLUSHER 2

/* The loaders' CPUs */
bool loaded[2];  /* cpu->loaded == pt */
bool lazy[2];    /* cpu->lazy */
bool cr3[2];     /* hardware walks pt */
bool tlb[2];     /* and remembers the entry */
bool running[2]; /* a thread of the tree is */

#define NOTHING 0
#define FLUSH_RANGE 1
#define FLUSH_EVICT 2
byte ipi[2]; /* what the flusher wants done; NOTHING: answered */

bool page_freed, destroyed;
bool threads_gone; /* the tree's last thread has ended */

#ifdef IRQS_ON
#define INTERRUPT flush_here(cpu)
#else
#define INTERRUPT skip
#endif

inline set_bit(cpu)
{
#ifdef PLAIN_BIT
	store(cpu, MASK, mem[MASK] | (1 << cpu))
#else
	d_step {
		drained(cpu);
		mem[MASK] = mem[MASK] | (1 << cpu);
	}
#endif
}

inline clear_bit(cpu)
{
	d_step {
		drained(cpu);
		mem[MASK] = mem[MASK] & ~(1 << cpu);
	}
}

/* arch_pgtable_load(): forgets everything. */
inline load_cr3(cpu, tree)
{
	d_step {
#ifndef PLAIN_BIT
		drained(cpu); /* a serialising instruction */
#endif
		cr3[cpu] = tree;
		tlb[cpu] = false;
	}
}

/* pgtable_load(pt) */
inline load_tree(cpu)
{
	lazy[cpu] = false;
	if
	:: !loaded[cpu] ->
#ifdef LOAD_FIRST
		loaded[cpu] = true;
		load_cr3(cpu, true);
		set_bit(cpu)
#else
		set_bit(cpu);
		loaded[cpu] = true;
		load_cr3(cpu, true)
#endif
	:: else
	fi
}

/* pgtable_load(another one, or NULL) */
inline load_other(cpu)
{
	lazy[cpu] = false;
	if
	:: loaded[cpu] ->
#ifdef LEAVE_FIRST
		clear_bit(cpu);
#endif
		loaded[cpu] = false;
		INTERRUPT;
		load_cr3(cpu, false);
#ifndef LEAVE_FIRST
		clear_bit(cpu)
#endif
	:: else
	fi
}

/* flush_here(), in interrupt context, if the flusher asked for it. */
inline flush_here(cpu)
{
	if
	:: ipi[cpu] ->
		if
		:: !loaded[cpu]
		:: loaded[cpu] && (lazy[cpu] || ipi[cpu] == FLUSH_EVICT) -> /* pgtable_load(NULL) */
			lazy[cpu] = false;
			loaded[cpu] = false;
			load_cr3(cpu, false);
			clear_bit(cpu)
		:: else -> tlb[cpu] = false /* tlb_flush_local_range() */
		fi;
		ipi[cpu] = NOTHING
	:: else
	fi
}

/* schedule(), again and again; interrupts are off in it (but IRQS_ON) and on between. */
proctype loader(byte cpu)
{
end:
	do
	:: ipi[cpu] -> flush_here(cpu)
	:: running[cpu] = false; /* switch_to() */
		if
		:: d_step { !threads_gone -> running[cpu] = true }
			load_tree(cpu)
		:: lazy[cpu] = true /* pgtable_borrow() */
		:: load_other(cpu)
		fi
	od
}

/* A loader's page walker, at work by itself. */
proctype walker(byte cpu)
{
end:
	do
	:: d_step { cr3[cpu] && mem[PTE] && !tlb[cpu] -> tlb[cpu] = true }
	od
}

/* flush_everywhere() */
inline flush_everywhere(what)
{
#ifndef NO_FENCE
	fence(FLUSHER); /* cpu_mb() */
#endif
#ifndef MASK_FIRST
	others = load(FLUSHER, MASK);
#endif
#ifdef LAZY_SPARED
	others = others & ~(lazy[0] | (lazy[1] << 1));
#endif
	d_step { /* ipi_call(): locked instructions */
		drained(FLUSHER);
		ipi[0] = (others & 1 -> what : NOTHING);
		ipi[1] = (others & 2 -> what : NOTHING);
	}
#ifndef NO_WAIT
	!ipi[0] && !ipi[1] /* wait_answered() */
#endif
}

proctype flusher()
{
	byte others;

#ifdef MASK_FIRST
	others = load(FLUSHER, MASK);
#endif
	store(FLUSHER, PTE, 0);
#ifdef M2
	page_freed = true;
#endif
	flush_everywhere(FLUSH_RANGE); /* pgtable_flush_range() */
	page_freed = true;
	d_step { !running[0] && !running[1] -> threads_gone = true } /* the last mm_put() */
#ifdef MASK_FIRST
	others = load(FLUSHER, MASK);
#endif
#ifndef NO_EVICT
	flush_everywhere(FLUSH_EVICT); /* pgtable_destroy() */
	assert(mem[MASK] == 0);
#endif
	destroyed = true
}

#define stale_translation (page_freed && (tlb[0] || tlb[1]))
#define freed_tree_loaded (destroyed && (cr3[0] || cr3[1]))

proctype watch()
{
end:
	if
	:: d_step { stale_translation -> assert(!stale_translation) }
	:: d_step { freed_tree_loaded -> assert(!freed_tree_loaded) }
	fi
}

init
{
	atomic {
		mem[PTE] = 1;
		run loader(0);
		run walker(0);
		run loader(1);
		run walker(1);
		run flusher();
		run watch();
		run drain(0);
		run drain(1);
		run drain(FLUSHER)
	}
}
