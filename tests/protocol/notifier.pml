/*
 * notifier.pml - a secondary MMU's fault against invalidation (thread 3; R3.1, R3.2).
 *
 * One address with one entry, one subscriber with one spte (its own translation of that address):
 *
 *   device       faults: reads the sequence, gets the page through the CPU's entry, installs it if nothing happened
 *   invalidator  start, clear the entry, flush the CPUs, end, free; two of them at once, as munmap and truncate can be
 *
 * The fault works on a guess, for it may sleep and must hold no lock of the subscriber meanwhile.  What makes the
 * guess safe is the check under the subscriber's lock: an invalidation that is under way counts in in_progress; one
 * that has been and gone has counted in seq.  The end takes no lock, so the order of its two steps is part of the
 * protocol, and the check reads in the other order.
 *
 * Asserted: no spte shows a freed page; outside all invalidations an spte shows what the entry shows.
 *
 * Mutants:
 *   -DM10_PROGRESS   the check ignores in_progress
 *   -DM10_ORDER      end counts in_progress down before it counts seq up
 *   -DNO_SEQ         the check ignores seq
 *   -DCHECK_ORDER    the check reads seq before in_progress
 *   -DSEQ_LATE       the fault reads the sequence after it got the page
 *   -DUNLOCKED       the check and the install are not under one hold of the subscriber's lock
 *   -DNO_COUNT       start only drops the spte: the device may fault it in again before the entry is clear
 *   -DZAP_FIRST      start drops the spte before it counts itself, without the lock
 *   -DM2             the page is freed before the subscriber is told
 */
#define PAGES 5

byte pte = 1;      /* the page that the entry shows; 0: none */
byte spte;         /* the same of the secondary MMU */
bool ptl, sub_lock;
byte in_progress;  /* invalidations that overlap; atomic */
byte seq;          /* that have ended; atomic */
byte refs[PAGES];  /* by page; page 0 is none */

byte open; /* callers between the beginning of start and the return of end */

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

/* What a fault does before it may sleep in get_page(): mmu_notify_begin(). */
inline read_seq(s)
{
	s = seq
}

/* The page at the address with a reference, brought in if there is none: a CPU fault and a look under the PTL. */
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

/* mn_install(): the check, and the spte. */
inline install(s, page)
{
	bool busy, changed;

	lock(sub_lock);
#ifdef CHECK_ORDER
	changed = seq != s;
	busy = in_progress > 0;
#else
#ifndef M10_PROGRESS
	busy = in_progress > 0;
#endif
#ifndef NO_SEQ
	changed = seq != s;
#endif
#endif
#ifdef UNLOCKED
	sub_lock = false;
	lock(sub_lock);
#endif
	if
	:: !busy && !changed -> spte = page
	:: else
	fi;
	sub_lock = false;
	d_step {
		busy = false;
		changed = false;
	}
}

/* The device touches the address, again and again; it faults when it has no spte, or too few rights. */
proctype device()
{
	byte s, page;

end:
	do
	:: true ->
#ifndef SEQ_LATE
		read_seq(s);
#endif
		get_page(page);
#ifdef SEQ_LATE
		read_seq(s);
#endif
		install(s, page);
		put_page(page); /* an spte holds no reference (R3.9) */
		d_step {
			s = 0;
			page = 0;
		}
	od
}

/* mmu_notify_start(): from here to the end no spte may appear. */
inline notify_start()
{
	open++;
#ifdef ZAP_FIRST
	spte = 0;
	in_progress++
#else
	lock(sub_lock);
#ifndef NO_COUNT
	in_progress++;
#endif
	spte = 0; /* the subscriber's callback */
	sub_lock = false
#endif
}

/* mmu_notify_end() */
inline notify_end()
{
#ifndef NO_COUNT
#ifdef M10_ORDER
	in_progress--;
	seq++;
#else
	seq++;
	in_progress--;
#endif
#else
	seq++;
#endif
	open--
}

/* Whoever empties the entry. */
proctype invalidator()
{
	byte old;

#ifndef M2
	notify_start();
#endif
	lock(ptl);
	d_step { /* hw_pte_get_and_clear(), pgtable_flush_page() */
		old = pte;
		pte = 0;
	}
	ptl = false;
#ifdef M2
	if
	:: old -> put_page(old)
	:: else
	fi;
	notify_start();
#endif
	notify_end();
#ifndef M2
	if
	:: old -> put_page(old)
	:: else
	fi
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
		run device();
		run invalidator();
		run invalidator();
		run watch()
	}
}
