/*
 * random.c - a small generator (xorshift128+ style mixing, re-seeded from the time stamp counter).  Layer 9.
 * Good for hash seeds and stack canaries; not cryptography.
 */
#include "kernel/dev/random.h"

#include <arch/irq.h>
#include "kernel/lib/string.h"
#include "kernel/sync/spinlock.h"

static u64 state[2];
static spinlock_t state_lock = SPINLOCK_INIT(LOCK_DEVICE);

static u64 mix(u64 x)
{
	x ^= x >> 30;
	x *= 0xbf58476d1ce4e5b9ULL;
	x ^= x >> 27;
	x *= 0x94d049bb133111ebULL;
	return x ^ x >> 31;
}

static u64 next(void)
{
	u64 a = state[0], b = state[1];

	state[0] = b;
	a ^= a << 23;
	state[1] = a ^ b ^ a >> 17 ^ b >> 26;
	return state[1] + b;
}

void random_bytes(void *buf, size_t n)
{
	u8 *p = buf;

	spin_lock(&state_lock);
	if (!state[0] && !state[1])
		state[1] = mix(arch_boot_epoch() + 0x9e3779b97f4a7c15ULL);
	state[0] ^= mix(cpu_rdtsc() + 0x9e3779b97f4a7c15ULL);
	while (n) {
		u64 r = next();
		size_t part = min(n, sizeof(r));

		memcpy(p, &r, part);
		p += part;
		n -= part;
	}
	spin_unlock(&state_lock);
}
