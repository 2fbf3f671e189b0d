/*
 * dirty.pml - a dirty page must be found by whoever asks for it to be written: mm/object/pagecache.c, writeback.c.
 *
 * One page.  PG_DIRTY says that it is newer than the file; two marks in the object's tree, under pages_lock, are what a
 * search finds it by.
 *
 *   other       stores to the page and makes it dirty, without the page lock (zap, mm_access())
 *   caller      does the same, then calls msync: what it stored must be on the device when that returns
 *   flusher     writes the page when it finds it
 *
 * Asserted: msync keeps its word; in the end, a page that is newer than the file is dirty, and a dirty one is marked.
 *
 * Mutants:
 *   -DSET_OUTSIDE    PG_DIRTY is set before pages_lock is taken: who finds it set goes on, and there is no mark yet
 *   -DPEEK           who finds PG_DIRTY set by a plain load goes on, with his store in his store buffer still
 *   -DUNMARK_BLIND   writeback removes the mark without looking whether the page is dirty again
 *   -DTWO_HOLDS      it removes one mark and sets the other in two holds of the lock
 *   -DCLEAR_LATE     it clears PG_DIRTY after the device has read the page
 */
#define CPUS 3
#define CELLS 2
#define DEPTH 1
#include "tso.pml"

#define DATA 0 /* cell 0 and 1: what `other' and `caller' store */

#define OTHER 0
#define CALLER 1
#define FLUSHER 2

bool dirty;                          /* PG_DIRTY */
bool page_locked, pages_lock;
bool writeback;                      /* PG_WRITEBACK */
bool mark_dirty, mark_writeback;     /* in the tree */
bool on_disk[2];
byte left = 3;

inline lock(cpu, l)
{
	d_step {
		drained(cpu) && !l;
		l = true;
	}
}

inline unlock(cpu, l)
{
	d_step {
		drained(cpu);
		l = false;
	}
}

/* pagecache_dirty_from_pte() */
inline make_dirty(cpu)
{
	bool was_set;

#ifdef PEEK
	was_set = dirty;
#else
	d_step { /* atomic_fence(); page_test() */
		drained(cpu);
		was_set = dirty;
#ifdef SET_OUTSIDE
		dirty = true;
#endif
	}
#endif
	if
	:: was_set
	:: else ->
		lock(cpu, pages_lock);
		mark_dirty = true;
		dirty = true;
		unlock(cpu, pages_lock)
	fi
}

/* start_writeback() */
inline start_writeback(cpu)
{
	writeback = true;
	lock(cpu, pages_lock);
#ifdef TWO_HOLDS
	if
	:: !dirty -> mark_dirty = false
	:: else
	fi;
	unlock(cpu, pages_lock);
	lock(cpu, pages_lock);
	mark_writeback = true;
#else
	mark_writeback = true;
#ifdef UNMARK_BLIND
	mark_dirty = false;
#else
	if
	:: !dirty -> mark_dirty = false
	:: else
	fi;
#endif
#endif
	unlock(cpu, pages_lock)
}

inline device_reads()
{
	d_step {
		on_disk[0] = on_disk[0] || mem[0];
		on_disk[1] = on_disk[1] || mem[1];
	}
}

/* object_writeback_done() */
inline end_writeback(cpu)
{
	lock(cpu, pages_lock);
	mark_writeback = false;
	unlock(cpu, pages_lock);
	writeback = false
}

/* write_range() */
inline write_page(cpu)
{
	bool found, write;

	lock(cpu, pages_lock); /* next_marked() */
	found = mark_dirty;
	unlock(cpu, pages_lock);
	if
	:: found -> /* prepare_for_io() */
		lock(cpu, page_locked);
		!writeback; /* page_wait_writeback() */
		d_step {    /* clear_dirty_for_io() */
			write = dirty;
#ifndef CLEAR_LATE
			dirty = false;
#endif
		}
		if
		:: write -> start_writeback(cpu)
		:: else
		fi;
		unlock(cpu, page_locked);
		if
		:: write ->
			device_reads();
#ifdef CLEAR_LATE
			dirty = false;
			mark_dirty = false;
#endif
			end_writeback(cpu)
		:: else
		fi
	:: else
	fi;
	d_step {
		found = false;
		write = false;
	}
}

/* wait_range() */
inline wait_page(cpu)
{
	bool busy;

	lock(cpu, pages_lock);
	busy = mark_writeback;
	unlock(cpu, pages_lock);
	if
	:: busy -> !writeback
	:: else
	fi
}

proctype other()
{
	store(OTHER, DATA + 0, 1);
	make_dirty(OTHER);
	left--
}

proctype caller()
{
	store(CALLER, DATA + 1, 1);
	make_dirty(CALLER);
	write_page(CALLER); /* object_writeback() */
	wait_page(CALLER);
	assert(on_disk[1]);
	left--
}

proctype flusher()
{
	byte round;

	do
	:: round == 2 -> break
	:: else ->
		round++;
		write_page(FLUSHER)
	od;
	left--
}

#define newer ((mem[0] && !on_disk[0]) || (mem[1] && !on_disk[1]))
#define forgotten (left == 0 && ((newer && !dirty) || (dirty && !mark_dirty)))

proctype watch()
{
end:
	d_step { forgotten -> assert(!forgotten) }
}

init
{
	atomic {
		run other();
		run caller();
		run flusher();
		run watch();
		run drain(OTHER);
		run drain(CALLER)
	}
}
