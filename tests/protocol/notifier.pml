/*
 * notifier.pml - a secondary MMU's fill against invalidation (thread 3; R3.1, R3.2), as mm/pgtable/notifier_*.c have it.
 *
 * One address with one entry, one subscriber with one spte (its own translation of that address):
 *
 *   device       subscribes, then faults again and again: gets the page through the CPU's entry, installs it
 *   invalidator  start, clear the entry, flush the CPUs, flush the subscriber, end, free; two of them at once, as munmap and
 *                truncate can be.  One may have begun before there was a subscriber.
 *
 * The subscriber is prompt (drops its spte in the flush) or acknowledging (in start, long before); init chooses.
 * The fill works on a guess, for it may sleep and must hold no lock of the subscriber meanwhile.  What makes the
 * guess safe is the check under the notifiers' lock: an invalidation that is under way counts in flying; one that has
 * flushed has counted in seq.
 *
 * Asserted: no spte shows a freed page; outside all invalidations an spte shows what the entry shows.
 *
 * Mutants:
 *   -DM1             the flushes come before the clear, and nothing is in flight
 *   -DM3             the page is freed before the subscriber is flushed
 *   -DM10_PROGRESS   the check ignores what is in flight
 *   -DM10_ORDER      seq counts at the end, after the range has landed, and not in the flush
 *   -DNO_SEQ         the check ignores seq
 *   -DSEQ_LATE       the fill reads the sequence after it got the page
 *   -DUNLOCKED       the check and the install are not under one hold of the notifiers' lock
 *   -DEND_EARLY      the range lands before the subscriber is flushed
 *   -DZAP_FIRST      start drops the spte before the range is in flight
 *   -DNO_SETTLE      the subscription does not wait for invalidations that do not know of it
 *   -DDEAF           an invalidation that began without a subscriber does not flush it either, and nobody waits for it
 */
#define PAGES 5

byte pte = 1;     /* the page that the entry shows; 0: none */
byte spte;        /* the same of the secondary MMU */
bool ptl, n_lock; /* the table's; the notifiers' and the subscription's in one */
bool walker[2];   /* what an invalidator holds from beginning to end: maps.lock, mmap lock */
bool subscribed, acknowledging;
byte flying;      /* ranges in flight */
byte seq;         /* flushes that hit us */
byte refs[PAGES]; /* by page; page 0 is none */

byte open; /* invalidations between their beginning and their end */

inline lock(l)
{
	atomic {
		!l;
		l = true
	}
}

inline put_page(page)
{
	refs[page]--
}

/* The page at the address with a reference, brought in if there is none: vma_fault() and take_mapped(). */
inline get_page(page)
{
	lock(ptl);
	d_step {
		if
		:: pte == 0 ->
			if
			:: refs[1] == 0 -> pte = 1
			:: refs[2] == 0 -> pte = 2
			:: refs[3] == 0 -> pte = 3
			:: refs[4] == 0 -> pte = 4
			fi;
			refs[pte] = 1
		:: else
		fi;
		page = pte;
		refs[page]++;
	}
	ptl = false
}

/* mmu_fill_install(): the check, and the spte. */
inline install(s, page)
{
	bool busy, changed;

	lock(n_lock);
#ifndef M10_PROGRESS
	busy = flying > 0;
#endif
#ifndef NO_SEQ
	changed = seq != s;
#endif
#ifdef UNLOCKED
	n_lock = false;
	lock(n_lock);
#endif
	if
	:: !busy && !changed -> spte = page
	:: else
	fi;
	n_lock = false;
	d_step {
		busy = false;
		changed = false;
	}
}

/* mm_subscribe(): visible first; then whoever may not have seen it is waited for. */
inline subscribe()
{
	subscribed = true;
#ifndef NO_SETTLE
#ifndef DEAF
	lock(walker[0]);
	walker[0] = false;
	lock(walker[1]);
	walker[1] = false
#endif
#endif
}

/* The device touches the address, again and again; it faults when it has no spte, or too few rights. */
proctype device()
{
	byte s, page;

	subscribe();
end:
	do
	:: true ->
#ifndef SEQ_LATE
		s = seq; /* mmu_fill_begin() */
#endif
		get_page(page);
#ifdef SEQ_LATE
		s = seq;
#endif
		install(s, page);
		put_page(page); /* an spte holds no reference (R3.9) */
		d_step {
			s = 0;
			page = 0;
		}
	od
}

/* mmu_notify_start(): who has subscribed is told; from here to the end no spte may appear. */
inline notify_start()
{
	known = subscribed;
	if
	:: known ->
#ifdef ZAP_FIRST
		if
		:: acknowledging -> spte = 0
		:: else
		fi;
#endif
		lock(n_lock);
		flying++;
		n_lock = false;
#ifndef ZAP_FIRST
		if
		:: acknowledging -> lock(n_lock); spte = 0; n_lock = false
		:: else
		fi
#endif
	:: else
	fi
}

/* mmu_notify_flush(): whoever is there now, known at the start or not. */
inline notify_flush()
{
#ifdef DEAF
	if
	:: known ->
#else
	if
	:: subscribed ->
#endif
		lock(n_lock);
#ifndef M10_ORDER
		seq++;
#endif
		if
		:: !acknowledging -> spte = 0
		:: else
		fi;
		n_lock = false
	:: else
	fi
}

/* mmu_notify_end() */
inline notify_end()
{
	if
	:: known -> lock(n_lock); flying--; n_lock = false
	:: else
	fi
#ifdef M10_ORDER
	;
	seq++
#endif
}

inline clear_entry()
{
	lock(ptl);
	d_step { /* hw_pte_get_and_clear(), pgtable_flush_cpus() */
		old = pte;
		pte = 0;
	}
	ptl = false
}

inline free_page()
{
	if
	:: old -> put_page(old)
	:: else
	fi
}

/* Whoever empties the entry. */
proctype invalidator(byte me)
{
	byte old;
	bool known;

	lock(walker[me]);
	open++;
#ifdef M1
	notify_flush();
	if
	:: acknowledging -> spte = 0
	:: else
	fi;
	clear_entry();
	known = false;
#else
	notify_start();
	clear_entry();
#ifdef M3
	free_page();
#endif
#ifdef END_EARLY
	notify_end();
	known = false;
#endif
	notify_flush();
	notify_end();
#endif
#ifndef M3
	/* the end is seen before the page is freed, and both before anybody waiting goes on */
	open--;
	free_page();
	walker[me] = false
#else
	open--;
	walker[me] = false
#endif
}

#define freed_page (spte && refs[spte] == 0)
#define stale_spte (!open && spte && spte != pte)

proctype watch()
{
end:
	if
	:: d_step { freed_page -> assert(!freed_page) }
	:: d_step { stale_spte -> assert(!stale_spte) }
	fi
}

init
{
	atomic {
		refs[1] = 1;
		if
		:: acknowledging = true
		:: acknowledging = false
		fi;
		run device();
		run invalidator(0);
		run invalidator(1);
		run watch()
	}
}
