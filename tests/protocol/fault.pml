/*
 * fault.pml - a fault decides without the lock and looks again with it (RF.19): mm/space/fault.c, fault_cow.c.
 *
 * One private address.  Two threads store to it; a third replaces what is mapped there by another page, read-only,
 * whose frame may be the one that has just become free.  (The first of fault_cow()'s two looks is left out.)
 *
 * Asserted: no fault replaces anything but what it decided on - so no page that was stored to is lost; a private copy
 * is a copy of the page that it replaces; no frame is lost.
 *
 * Mutants:
 *   -DM4             the fault does not look again
 *   -DNO_REF         it holds no reference on the page that it copies from: the frame may come back as another page
 *   -DLOOK_UNLOCKED  it looks again before it takes the lock
 */
#define FRAMES 5
#define ZERO 0 /* what is in a frame: zeros, or the number of a page of the file */

byte entry = 1; /* the frame that it shows; 0: none */
bool rw;        /* hardware may write */
bool ptl;

byte refs[FRAMES];
byte content[FRAMES];
bool stored[FRAMES]; /* somebody has, through the entry */
byte left = 3;

inline lock()
{
	atomic {
		!ptl;
		ptl = true
	}
}

/* page_alloc(): the first free frame, so that one that was just freed soon comes back. */
inline page_alloc(frame, what)
{
	d_step {
		if
		:: refs[1] == 0 -> frame = 1
		:: refs[2] == 0 -> frame = 2
		:: refs[3] == 0 -> frame = 3
		:: refs[4] == 0 -> frame = 4
		fi;
		refs[frame] = 1;
		content[frame] = what;
		stored[frame] = false;
	}
}

/* Of frame 0, none, nobody counts references. */
inline page_put(frame)
{
	d_step {
		if
		:: frame -> refs[frame]--
		:: else
		fi;
	}
}

/* pte_same() */
#ifdef M4
#define SAME true
#else
#define SAME (entry == seen && !rw)
#endif

/* fault_cow(), and fault_anon() when nothing is mapped: replace @seen, which hardware may not write. */
inline resolve(seen)
{
	byte copy, what;
	bool same;

	what = content[seen]; /* page_copy(); content[0] is ZERO */
	page_alloc(copy, what);
#ifdef LOOK_UNLOCKED
	same = SAME;
	lock();
#else
	lock(); /* fault_lock_same() */
	same = SAME;
#endif
	if
	:: same -> d_step { /* replace() */
		assert(!stored[entry]);
		assert(content[entry] == content[copy]);
		what = entry;
		entry = copy;
		rw = true;
		copy = what; /* the old one's reference is to be dropped */
	}
	:: else
	fi;
	ptl = false;
	page_put(copy);
	d_step {
		copy = 0;
		what = 0;
		same = false;
	}
}

proctype thread()
{
	byte seen;
	bool done;

	do
	:: done -> break
	:: d_step { !done && rw; stored[entry] = true; done = true } /* the store */
	:: !done && !rw -> /* fault_entry() */
		lock();
		seen = entry;
		if
		:: rw -> ptl = false /* spurious */
		:: else ->
#ifndef NO_REF
			if
			:: seen -> refs[seen]++ /* page_get() */
			:: else
			fi;
#endif
			ptl = false;
			resolve(seen);
#ifndef NO_REF
			page_put(seen)
#endif
		fi;
		seen = 0
	od;
	left--
}

/* madvise(DONTNEED), and then a read fault brings in another page: mm/object/zap.c, mm/space/fault_file.c. */
proctype replacer()
{
	byte old, frame;

	lock();
	d_step { /* zap_page(), flush */
		old = entry;
		entry = 0;
		rw = false;
	}
	ptl = false;
	page_put(old);
	page_alloc(frame, 2);
	lock();
	if
	:: entry == 0 ->
		entry = frame;
		frame = 0
	:: else
	fi;
	ptl = false;
	page_put(frame);
	left--
}

#define frames_lost (left == 0 && refs[1] + refs[2] + refs[3] + refs[4] != 1)

proctype watch()
{
end:
	d_step { frames_lost -> assert(!frames_lost) }
}

init
{
	atomic {
		refs[1] = 1;
		content[1] = 1;
		run thread();
		run thread();
		run replacer();
		run watch()
	}
}
