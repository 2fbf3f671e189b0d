/*
 * pin.pml - a device's pin against writeback (thread 1, R1.2, RF.26).
 *
 * One page of a file, mapped at one address.  Three CPUs:
 *
 *   pinner      counts a pin, without a lock (mm/service/pin_fast.c) or with (mm/service/pin.c); the device stores
 *   writeback   mkclean, verdict, I/O (mm/object/writeback.c, mm/rmap/walk.c)
 *   program     stores through its TLB, faults when it may not (mm/space/fault_file.c)
 *
 * Asserted: a pinned page is never left clean; no store of the program falls into the I/O; in the end, content that the
 * file has not got is in a dirty page.
 *
 * Mutants:
 *   -DNO_LOOK        the fast pin does not look at the entry again
 *   -DLOOK_FIRST     it looks again, but before it counts
 *   -DPLAIN_COUNT    it counts by a plain store: no full barrier before the second look
 *   -DCOUNT_FIRST    writeback looks at the count before mkclean
 *   -DNO_BARRIER     writeback has no full barrier between the entry and the count
 *   -DM1             mkclean flushes before it clears
 *   -DNO_FLUSH       mkclean does not flush
 *   -DUNLOCKED       mkwrite sets the entry after it has let go of the page lock
 *   -DNO_RECHECK     the slow pin trusts the fault that it has just made
 */
#define CPUS 3
#define CELLS 3
#define DEPTH 3
#include "tso.pml"

#define PTE 0
#define PTL 1
#define PINS 2

#define PINNER 0
#define WRITEBACK 1
#define PROGRAM 2

/* The entry. It always maps the page, except while mkclean has it in hand. */
#define P 4
#define RW 1
#define D 2

bool page_locked; /* PG_LOCKED */
bool dirty;       /* PG_DIRTY */
bool writeback;   /* PG_WRITEBACK */
bool tlb;         /* the program's CPU remembers a writable, dirty translation */

bool newer;   /* the page holds what the file does not */
bool held;    /* a pin is held */
bool judging; /* writeback has cleared PG_DIRTY and not yet said its verdict */
byte left = 3;

inline page_lock(cpu)
{
	d_step {
		drained(cpu) && !page_locked;
		page_locked = true;
	}
}

inline page_unlock(cpu)
{
	d_step {
		drained(cpu);
		page_locked = false;
	}
}

/* fault_mkwrite(): a store through an entry without RW. */
inline fault(cpu, seen)
{
	spin_lock(cpu, PTL); /* fault_entry() */
	seen = load(cpu, PTE);
	spin_unlock(cpu, PTL);
	if
	:: seen & RW /* fault_present(): spurious */
	:: else ->
		page_lock(cpu); /* fault_mkwrite() */
		!writeback;     /* pagecache_reserve(): page_wait_writeback() */
		d_step {        /* pagecache_set_dirty() */
			drained(cpu);
			dirty = true;
		}
#ifdef UNLOCKED
		page_unlock(cpu);
#endif
		spin_lock(cpu, PTL); /* fault_lock_same() */
		if
		:: load(cpu, PTE) == seen ->
			store(cpu, PTE, 0); /* mkwrite_page(): stronger than before, no flush needed */
			store(cpu, PTE, P | RW | D)
		:: else
		fi;
		spin_unlock(cpu, PTL);
#ifndef UNLOCKED
		page_unlock(cpu)
#endif
	fi;
	seen = 0
}

/* pin_count() */
inline count_pin(cpu)
{
#ifdef PLAIN_COUNT
	store(cpu, PINS, mem[PINS] + 1)
#else
	d_step {
		drained(cpu);
		mem[PINS] = mem[PINS] + 1;
	}
#endif
}

inline uncount_pin(cpu)
{
	d_step {
		drained(cpu);
		mem[PINS] = mem[PINS] - 1;
	}
}

/* pin_entry(): no lock, interrupts off. */
inline pin_fast(cpu, entry)
{
	entry = load(cpu, PTE);
	if
	:: entry & RW ->
#ifdef LOOK_FIRST
		if
		:: load(cpu, PTE) == entry ->
			count_pin(cpu);
			held = true
		:: else
		fi
#else
		count_pin(cpu); /* also the full barrier */
		if
#ifdef NO_LOOK
		:: true -> held = true
#else
		:: load(cpu, PTE) == entry -> held = true
		:: else -> uncount_pin(cpu)
#endif
		fi
#endif
	:: else
	fi;
	entry = 0
}

/* try_pin(): bring it in writable, then pin what is mapped. */
inline pin_slow(cpu, entry)
{
	do
	:: held -> break
	:: else ->
		fault(cpu, entry);   /* vma_fault() */
		spin_lock(cpu, PTL); /* pin_mapped() */
		if
#ifdef NO_RECHECK
		:: true ->
#else
		:: load(cpu, PTE) & RW -> /* fit() */
#endif
			count_pin(cpu);
			held = true
#ifndef NO_RECHECK
		:: else
#endif
		fi;
		spin_unlock(cpu, PTL)
	od
}

proctype pinner()
{
	byte entry;

	if
	:: pin_fast(PINNER, entry)
	:: skip
	fi;
	pin_slow(PINNER, entry);
	newer = true; /* the device stores */
	page_lock(PINNER); /* unpin_one(): mark_dirty() */
	d_step {
		drained(PINNER);
		dirty = true;
	}
	page_unlock(PINNER);
	held = false;
	uncount_pin(PINNER);
	left--
}

/* rmap_mkclean(): clean_entry() on the one entry. */
inline mkclean(was_dirty)
{
	byte pte;

	spin_lock(WRITEBACK, PTL); /* visit_candidate() */
	if
	:: load(WRITEBACK, PTE) & (RW | D) ->
#ifdef M1
		tlb = false;
#endif
#ifdef NO_BARRIER
		d_step {
			pte = load(WRITEBACK, PTE);
			was_dirty = true;
		}
		store(WRITEBACK, PTE, 0);
#else
		exchange(WRITEBACK, PTE, 0, pte); /* hw_pte_get_and_clear() */
#endif
#if !defined(M1) && !defined(NO_FLUSH)
		tlb = false; /* pgtable_flush_page() */
#endif
		store(WRITEBACK, PTE, P); /* hw_pte_set() */
		was_dirty = true
	:: else
	fi;
	spin_unlock(WRITEBACK, PTL);
	pte = 0
}

/* clear_dirty_for_io() */
inline clear_dirty_for_io(write)
{
	bool was_dirty, pinned;

#ifdef COUNT_FIRST
	pinned = load(WRITEBACK, PINS);
#endif
	mkclean(was_dirty);
	d_step { /* page_set(), page_test_and_clear() */
#ifndef NO_BARRIER
		drained(WRITEBACK);
#endif
		write = dirty || was_dirty;
		judging = write;
		dirty = false;
		was_dirty = false;
	}
	if
	:: write ->
#ifndef COUNT_FIRST
		pinned = load(WRITEBACK, PINS);
#endif
		d_step { /* the verdict */
			drained(WRITEBACK);
			dirty = dirty || pinned;
			judging = false;
		}
	:: else
	fi;
	pinned = false
}

proctype write_back()
{
	bool write;
	byte round;

	do
	:: round == 2 -> break
	:: else ->
		round++;
		page_lock(WRITEBACK); /* prepare_for_io() */
		clear_dirty_for_io(write);
		d_step { /* start_writeback() */
			drained(WRITEBACK);
			writeback = write;
		}
		page_unlock(WRITEBACK);
		if
		:: write ->
			newer = false;    /* the device reads the page */
			writeback = false /* object_writeback_done() */
		:: else
		fi;
		write = false
	od;
	left--
}

proctype program()
{
	byte seen, stores;

#ifdef NO_BARRIER
	stores = 2; /* keep quiet: this CPU would only show that the entry is not clear yet when it is flushed */
#endif
	do
	:: stores == 2 -> break
	:: d_step { /* a store */
		stores < 2 && tlb;
		assert(!writeback); /* stable pages */
		newer = true;
		stores++;
	}
	:: d_step { /* the CPU walks, and sets D */
		!tlb && mem[PTE] & RW;
		mem[PTE] = mem[PTE] | D;
		tlb = true;
	}
	:: !tlb && !(mem[PTE] & RW) -> fault(PROGRAM, seen)
	od;
	left--
}

#define pinned_and_clean (held && !dirty && !judging)
#define lost (left == 0 && newer && !dirty)

proctype watch()
{
end:
	if
	:: d_step { pinned_and_clean -> assert(!pinned_and_clean) }
	:: d_step { lost -> assert(!lost) }
	fi
}

init
{
	atomic {
		if
		:: mem[PTE] = P
		:: mem[PTE] = P | RW | D; dirty = true; newer = true
		fi;
		run pinner();
		run write_back();
		run program();
		run watch();
		run drain(PINNER);
		run drain(WRITEBACK);
		run drain(PROGRAM)
	}
}
