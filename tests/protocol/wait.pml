/*
 * wait.pml - going to sleep against waking up: kernel/sync/wait.h, kernel/sync/wait.c, kernel/sched/sched.c.
 *
 * The sleeper waits for a condition three times; the waker makes it true each time.
 *
 *   sleeper                              waker
 *     enter the queue                      make the condition true
 *     state := sleeping   (sync_prepare)
 *     full barrier                         full barrier
 *     condition true? then do not sleep    queue empty? then nobody to wake
 *     sleep if state is still sleeping     state := running; into the run queue if it had left that
 *
 * Asserted: nobody sleeps for ever (Spin calls it an invalid end state); who runs is not in the run queue as well.
 *
 * Mutants:
 *   -DNO_WAKER_FENCE  wake_up() looks at the queue without a barrier
 *   -DPLAIN_STATE     sync_prepare() is a plain store
 *   -DLOOK_FIRST      the condition is looked at before sync_prepare()
 *   -DQUEUE_LATE      the sleeper enters the queue after it has looked
 *   -DUNLOCKED        schedule() looks at the state without the run queue's lock
 *   -DNO_ON_RQ        the waker puts the sleeper into the run queue even if it has not left it
 */
#define CPUS 2
#define CELLS 3
#define DEPTH 2
#include "tso.pml"

#define COND 0   /* how often it was made true */
#define STATE 1  /* of the sleeper */
#define QUEUED 2 /* the wait queue is not empty: the sleeper is there */

#define SLEEPER 0
#define WAKER 1

#define RUNNING 0
#define SLEEPING 1

#define ROUNDS 3

bool wq_lock, rq_lock;
bool on_rq = true;  /* the sleeper's: runnable, so far as the run queue knows */
bool on_cpu = true; /* it runs */
byte in_rq;         /* it waits in the run queue */

/* These two locks are taken with interrupts off and held for moments; both ends are made strong here. */
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

/* thread_set_state() */
inline sync_prepare(state)
{
#ifdef PLAIN_STATE
	store(SLEEPER, STATE, state)
#else
	d_step { /* xchg */
		drained(SLEEPER);
		mem[STATE] = state;
	}
#endif
}

/* put_prev() and the switch: another thread runs, until pick() finds this one in the run queue. */
inline sleep()
{
	d_step {
		on_rq = false;
		on_cpu = false;
	}
	unlock(SLEEPER, rq_lock);
	d_step {
		in_rq;
		in_rq--;
		on_cpu = true;
	}
}

/* sync_block() */
inline schedule()
{
#ifdef UNLOCKED
	if
	:: load(SLEEPER, STATE) == RUNNING
	:: else ->
		lock(SLEEPER, rq_lock);
		sleep()
	fi
#else
	lock(SLEEPER, rq_lock);
	if
	:: load(SLEEPER, STATE) == RUNNING -> unlock(SLEEPER, rq_lock)
	:: else -> sleep()
	fi
#endif
}

inline enqueue()
{
	lock(SLEEPER, wq_lock); /* wait_queue_add() */
	store(SLEEPER, QUEUED, 1);
	unlock(SLEEPER, wq_lock)
}

proctype sleeper()
{
	byte round;
	bool met;

	do
	:: round == ROUNDS -> break
	:: round < ROUNDS -> /* wait_event() */
		round++;
#ifndef QUEUE_LATE
		enqueue();
#endif
		do
		:: met -> break
		:: else ->
#ifdef LOOK_FIRST
			met = load(SLEEPER, COND) >= round;
			sync_prepare(SLEEPING);
#else
			sync_prepare(SLEEPING);
			met = load(SLEEPER, COND) >= round;
#endif
#ifdef QUEUE_LATE
			enqueue();
#endif
			if
			:: !met -> schedule()
			:: else
			fi
		od;
		met = false;
		sync_prepare(RUNNING);
		lock(SLEEPER, wq_lock); /* wait_queue_remove() */
		store(SLEEPER, QUEUED, 0);
		unlock(SLEEPER, wq_lock)
	od
}

/* thread_wake_states() */
inline thread_wake(woken)
{
	lock(WAKER, rq_lock);
	d_step { /* claim_sleeper(): lock cmpxchg */
		drained(WAKER);
		woken = mem[STATE] == SLEEPING;
		if
		:: woken -> mem[STATE] = RUNNING
		:: else
		fi;
	}
#ifdef NO_ON_RQ
	if
	:: woken ->
#else
	if
	:: woken && !on_rq ->
#endif
		on_rq = true; /* wake_sleeper() */
		in_rq++
	:: else
	fi;
	unlock(WAKER, rq_lock)
}

proctype waker()
{
	byte round;
	bool woken;

	do
	:: round == ROUNDS -> break
	:: round < ROUNDS ->
		round++;
		store(WAKER, COND, round);
#ifndef NO_WAKER_FENCE
		fence(WAKER); /* wake_up() */
#endif
		if
		:: load(WAKER, QUEUED) ->
			lock(WAKER, wq_lock); /* wait_queue_wake() */
			if
			:: load(WAKER, QUEUED) -> thread_wake(woken) /* wake_locked() */
			:: else
			fi;
			unlock(WAKER, wq_lock)
		:: else
		fi
	od
}

#define twice (in_rq && on_cpu)

proctype watch()
{
end:
	d_step { twice -> assert(!twice) }
}

init
{
	atomic {
		run sleeper();
		run waker();
		run watch();
		run drain(SLEEPER);
		run drain(WAKER)
	}
}
