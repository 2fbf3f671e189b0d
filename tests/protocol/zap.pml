/*
 * zap.pml - an entry is emptied while a CPU still remembers it, against writeback (RF.12, RF.26).
 *
 * One page of a file, mapped writable at one address.  Three CPUs:
 *
 *   program     stores through its TLB as long as that lets it
 *   zapper      empties the entry (mm/object/zap.c; mm/space/nonlinear_exchange.c is the same with maps.lock)
 *   writeback   mkclean, I/O (mm/object/writeback.c, mm/rmap/walk.c)
 *
 * Asserted: no store falls into the I/O; in the end, content that the file has not got is in a dirty page.
 *
 * Mutants:
 *   -DMAPCOUNT       mkclean skips a page without entries, and mapcount is counted down before the flush
 *   -DFLUSH_LATE     the zapper flushes after it has let go of the table's lock
 *   -DNO_FLUSH       it does not flush
 *   -DM1             it flushes before it clears
 *   -DOLD_VALUE      it believes the dirty bit that it saw before the clear, not the one that the clear returns (R4.3)
 */
#define CPUS 3
#define CELLS 2
#define DEPTH 2
#include "tso.pml"

#define PTE 0
#define PTL 1

#define PROGRAM 0
#define ZAPPER 1
#define WRITEBACK 2

#define P 4
#define RW 1
#define D 2

bool dirty;         /* PG_DIRTY */
bool writeback;     /* PG_WRITEBACK */
byte mapcount = 1;  /* atomic */
bool tlb;           /* the program's CPU remembers a writable translation ... */
bool tlb_dirty;     /* ... and that D is set */

bool newer; /* the page holds what the file does not */
byte left = 3;

proctype program()
{
	byte stores;

	do
	:: d_step { /* a store: the CPU sets D first, in the entry, if it does not remember that it has */
		stores < 2 && tlb && (tlb_dirty || mem[PTE] & RW);
		assert(!writeback);
		if
		:: !tlb_dirty ->
			mem[PTE] = mem[PTE] | D;
			tlb_dirty = true
		:: else
		fi;
		newer = true;
		stores++;
	}
	:: d_step { /* a load brings the translation in */
		!tlb && mem[PTE] & RW;
		tlb = true;
		tlb_dirty = mem[PTE] & D;
	}
	:: break /* from here on: a fault, mm/space/fault.c */
	od;
	left--
}

inline flush()
{
	d_step {
		drained(ZAPPER);
		tlb = false;
		tlb_dirty = false;
	}
}

inline count_down()
{
	d_step {
		drained(ZAPPER);
		mapcount--;
	}
}

proctype zapper()
{
	byte pte, cleared;

	spin_lock(ZAPPER, PTL);  /* pt_walk() */
	pte = load(ZAPPER, PTE); /* zap_extent() */
#ifdef M1
	flush();
#endif
	exchange(ZAPPER, PTE, 0, cleared); /* zap_page(): hw_pte_get_and_clear() */
#ifndef OLD_VALUE
	pte = cleared;
#endif
	if
	:: pte & D -> d_step { /* zap_cached(): pagecache_dirty_from_pte() */
		drained(ZAPPER);
		dirty = true;
	}
	:: else
	fi;
#ifdef MAPCOUNT
	count_down();
#endif
#if !defined(M1) && !defined(NO_FLUSH) && !defined(FLUSH_LATE)
	flush(); /* zap_extent(), for lost_writer: mmu_gather_flush_tlb() */
#endif
#ifndef MAPCOUNT
	count_down();
#endif
	spin_unlock(ZAPPER, PTL);
#ifdef FLUSH_LATE
	flush(); /* mmu_gather_finish() */
#endif
	left--
}

/* rmap_mkclean(): clean_entry() on the one entry that may be there. */
inline mkclean(was_dirty)
{
	byte pte;

	spin_lock(WRITEBACK, PTL); /* visit_candidate() */
	if
	:: load(WRITEBACK, PTE) & (RW | D) ->
		exchange(WRITEBACK, PTE, 0, pte); /* hw_pte_get_and_clear() */
		d_step {                          /* pgtable_flush_page() */
			tlb = false;
			tlb_dirty = false;
		}
		store(WRITEBACK, PTE, P); /* hw_pte_set() */
		was_dirty = true
	:: else
	fi;
	spin_unlock(WRITEBACK, PTL)
}

proctype write_back()
{
	bool was_dirty, write;

	/* prepare_for_io(): the page lock, which nobody else wants here; clear_dirty_for_io() */
	if
#ifdef MAPCOUNT
	:: mapcount == 0
	:: mapcount > 0 -> mkclean(was_dirty)
#else
	:: mkclean(was_dirty)
#endif
	fi;
	d_step { /* page_set(), page_test_and_clear(); start_writeback() */
		drained(WRITEBACK);
		write = dirty || was_dirty;
		dirty = false;
		writeback = write;
	}
	if
	:: write ->
		newer = false; /* the device reads the page */
		writeback = false
	:: else
	fi;
	left--
}

#define lost (left == 0 && newer && !dirty)

proctype watch()
{
end:
	d_step { lost -> assert(!lost) }
}

init
{
	atomic {
		if
		:: mem[PTE] = P | RW; dirty = true /* written through write(2), say */
		:: mem[PTE] = P | RW               /* an object without write-notify */
		:: mem[PTE] = P | RW | D; dirty = true
		fi;
		newer = dirty;
		run program();
		run zapper();
		run write_back();
		run watch();
		run drain(ZAPPER);
		run drain(WRITEBACK)
	}
}
