/*
 * gather.pml - clear, flush, free, against everybody who may still be on the way to the page (RF.9, RF.12).
 *
 * One tree: an upper entry, a table with one entry, a page.  Three CPUs:
 *
 *   walker      runs a thread of the tree: hardware remembers what it likes; the kernel looks at the entry without a
 *               lock (pt_lookup_lockless(), mm/pgtable/walk.c) and takes a reference, as a fast pin will
 *   unmapper    madvise(DONTNEED) empties the entry; munmap then also removes the reverse link and unlinks the table
 *               (mm/service/madvise.c; mm/space/munmap.c, mm/pgtable/table.c); then it finishes its gather
 *               (mm/pgtable/gather.c)
 *   truncater   empties the same entry in a gather of its own (mm/object/truncate.c); it found the tree by the link
 *
 * Asserted: nobody reads a freed table, nobody takes a reference on a freed page; when a gather is finished, no CPU
 * remembers the entry that was to be emptied, nor that the table was there once that is free.
 *
 * Mutants:
 *   -DM1             a gather flushes before it clears
 *   -DM2             it frees before it flushes
 *   -DNO_WAIT        its flush does not wait for the answer
 *   -DIRQS_ON        the walker without a lock has interrupts on
 *   -DNO_GATHERS     a gather that found the entry empty does not ask for others under way
 *   -DCOUNT_LATE     a gather counts itself after it has cleared
 *   -DCOUNT_EARLY    it counts itself out before it flushes
 *   -DLINK_LAST      munmap removes the reverse link when the table is free
 */
#define UNMAPPER 0
#define TRUNCATER 1

bool link = true;  /* the reverse link */
bool upper = true; /* the upper entry shows the table */
bool entry = true; /* the table's entry maps the page */
bool ptl, maps_lock;
byte refs = 1; /* the entry's */
byte gathers;
bool table_freed, page_freed;
bool finished[2];

/* The walker's CPU */
bool tlb_upper, tlb; /* remembers the upper entry, the translation */
bool ipi[2];         /* a flusher waits for an answer */

inline get_page()
{
	d_step {
		assert(!page_freed);
		refs++;
	}
}

inline put_page()
{
	d_step {
		refs--;
		if
		:: refs == 0 -> page_freed = true
		:: else
		fi;
	}
}

/* flush_here(), in interrupt context */
inline flush_here()
{
	d_step {
		ipi[0] || ipi[1];
		tlb = false;
		tlb_upper = false;
		ipi[0] = false;
		ipi[1] = false;
	}
}

#ifdef IRQS_ON
#define INTERRUPT            \
	if                       \
	:: flush_here()          \
	:: skip                  \
	fi
#else
#define INTERRUPT skip
#endif

/* The thread runs, and now and then looks at its entry without a lock. */
proctype walker()
{
	bool seen;

end:
	do
	:: flush_here()
	:: upper -> /* irq_save(); pt_lookup_lockless() */
		INTERRUPT;
		d_step { /* hw_pte_get_lockless() */
			assert(!table_freed);
			seen = entry;
		}
		INTERRUPT;
		if
		:: seen ->
			get_page();
			put_page()
		:: else
		fi;
		seen = false /* irq_restore() */
	od
}

/* The walker's CPU walks, for the thread or by speculation. */
proctype hardware()
{
end:
	do
	:: d_step { upper && !tlb_upper -> tlb_upper = true }
	:: d_step {
		tlb_upper && !tlb;
		assert(!table_freed);
		tlb = entry;
	}
	od
}

/* pgtable_flush_range(), pgtable_flush_all() */
inline flush(me)
{
	ipi[me] = true;
#ifndef NO_WAIT
	!ipi[me]
#endif
}

/* mmu_gather_begin() */
inline gather_begin()
{
#ifndef COUNT_LATE
	gathers++
#else
	skip
#endif
}

/* zap_range() of the one entry; the caller has found the table. */
inline zap(me, cleared)
{
	d_step { /* pt_walk(): the lock is in the table's frame record */
		!ptl;
		assert(!table_freed);
		ptl = true;
	}
#ifdef M1
	flush(me);
#endif
	d_step { /* zap_page(): hw_pte_get_and_clear() */
		cleared = entry;
		entry = false;
	}
	ptl = false;
#ifdef COUNT_LATE
	gathers++
#endif
}

/* mmu_gather_flush(): @cleared, the page is ours to release; @unlinked, the table too. */
inline gather_flush(me, cleared, unlinked)
{
#ifdef COUNT_EARLY
	gathers--;
#endif
#ifdef M2
	if
	:: cleared -> put_page()
	:: else
	fi;
#endif
#ifndef M1
	if
	:: cleared || unlinked -> flush(me) /* flush_cleared() */
	:: else
	fi;
#endif
#ifndef M2
	if
	:: cleared -> put_page() /* release_pages() */
	:: else
	fi
#endif
}

/* The rest of mmu_gather_finish() */
inline gather_finish(me)
{
#ifndef NO_GATHERS
	if
	:: gathers > 1 -> flush(me) /* pgtable_flush_all() */
	:: else
	fi;
#endif
#ifndef COUNT_EARLY
	gathers--;
#endif
	finished[me] = true
}

/* rmap_link_remove() */
inline detach()
{
	atomic {
		!maps_lock;
		maps_lock = true
	}
	link = false;
	maps_lock = false
}

/* drop_pages(), or munmap_locked() */
proctype unmapper()
{
	bool cleared, unlinked;

	gather_begin();
	zap(UNMAPPER, cleared); /* vma_zap() */
	if
	:: skip
	:: unlinked = true;
#ifndef LINK_LAST
		detach(); /* detach_range() */
#endif
		upper = false /* pt_free_tables(): trim_entry() */
	fi;
	gather_flush(UNMAPPER, cleared, unlinked);
	if
	:: unlinked -> table_freed = true /* table_free() */
	:: else
	fi;
	gather_finish(UNMAPPER);
#ifdef LINK_LAST
	if
	:: unlinked -> detach()
	:: else
	fi
#endif
}

/* unmap_everywhere() */
proctype truncater()
{
	bool cleared;

	atomic {
		!maps_lock;
		maps_lock = true
	}
	if
	:: link -> /* unmap_link() */
		gather_begin();
		if
		:: upper -> zap(TRUNCATER, cleared)
		:: else
		fi;
		gather_flush(TRUNCATER, cleared, false);
		gather_finish(TRUNCATER)
	:: else
	fi;
	maps_lock = false
}

#define stale_translation ((finished[0] || finished[1]) && tlb)
#define stale_table (table_freed && tlb_upper)

proctype watch()
{
end:
	if
	:: d_step { stale_translation -> assert(!stale_translation) }
	:: d_step { stale_table -> assert(!stale_table) }
	fi
}

init
{
	atomic {
		run walker();
		run hardware();
		run unmapper();
		run truncater();
		run watch()
	}
}
