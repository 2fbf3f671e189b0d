/*
 * run.c - booting the machine, runs on it, and the judgement at the end of each.
 *
 * Beside the layers, in the place of kernel/main.
 */
#include <arch/phys.h>
#include <arch/smp.h>

#include "arch/host/sim/sched.h"
#include "kernel/lib/assert.h"
#include "kernel/lib/radix.h"
#include "kernel/lib/string.h"
#include "kernel/sync/rcu.h"
#include "mm/debug/debug.h"
#include "mm/phys/phys.h"
#include "mm/phys/slab.h"
#include "mm/phys/slab_debug.h"
#include "mm/service/mirror.h"

#define DEFAULT_CPUS 4
#define DEFAULT_RAM 4096
#define LINE 200

struct main_thread {
	void (*fn)(void *arg);
	void *arg;
	unsigned complaints; /* of this run */
};

/* What there is of everything: equal before and after a run that gave back what it took. */
struct account {
	unsigned long pages, objects;
	unsigned files;
};

extern bool host_verbose;

static struct sim_config booted; /* ram_pages 0: not yet */
static bool ran;                 /* a run has been made in this process */
static bool threaded;            /* the helpers are real threads */
static unsigned failures;
static u64 seed = 1;
static bool use_threads;
static int nr_words;
static char **words; /* the command line */

/* -- output ------------------------------------------------------------------------------------------------------- */
static __printf(1, 2) void say(const char *fmt, ...)
{
	char line[LINE + 2];
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vscnprintf(line, LINE, fmt, ap);
	va_end(ap);
	line[n++] = '\n';
	os_write(line, (size_t)n);
}

void sim_fail(const char *fmt, ...)
{
	char line[LINE];
	va_list ap;

	va_start(ap, fmt);
	vscnprintf(line, sizeof(line), fmt, ap);
	va_end(ap);
	__atomic_fetch_add(&failures, 1, __ATOMIC_RELAXED);
	say("# %s", line);
}

unsigned sim_failures(void)
{
	return __atomic_load_n(&failures, __ATOMIC_RELAXED);
}

/* The line that makes it happen again, if it can. */
static void say_replay(const char *what, u64 with)
{
	char line[LINE];
	int n = scnprintf(line, sizeof(line), "%s: replay with  SEED=%llu", what, (unsigned long long)with);

	for (int i = 0; i < nr_words; i++)
		if (i == 0 || strncmp(words[i], "SEED=", 5))
			n += scnprintf(line + n, sizeof(line) - (size_t)n, " %s", words[i]);
	say("# %s", line);
}

void run_epitaph(const char *what)
{
	say_replay(what, sched_config.seed);
	host_verbose = true;
}

static void on_sanitizer(void)
{
	sched_quiet += 1u << 20;
	run_epitaph("sanitizer");
}

const char *sim_format(void)
{
	return PTERON_FORMAT;
}

/* -- the command line ------------------------------------------------------------------------------------------------ */
static const char *option(const char *word, const char *name)
{
	size_t n = strlen(name);

	return word && !strncmp(word, name, n) && word[n] == '=' ? word + n + 1 : NULL;
}

u64 sim_option(const char *name, u64 otherwise)
{
	const char *value = os_environment(name);

	for (int i = 1; i < nr_words; i++)
		if (option(words[i], name))
			value = option(words[i], name);
	return value && *value ? strtoul(value, NULL, 0) : otherwise;
}

bool sim_sees_addresses(void)
{
	return os_has_asan();
}

bool sim_threads(void)
{
	return use_threads;
}

void sim_main(int argc, char **argv)
{
	nr_words = argc;
	words = argv;
	seed = sim_option("SEED", 1);
	use_threads = sim_option("THREADS", 0);
	host_verbose = sim_option("VERBOSE", 0);
	os_on_sanitizer(on_sanitizer, SIM_SANITIZER);
	say("# %s, SEED=%llu", sim_format(), (unsigned long long)seed);
}

u64 sim_seed(void)
{
	return seed;
}

void *sim_shared(size_t size)
{
	return os_shared(size);
}

/* -- boot -------------------------------------------------------------------------------------------------------------- */
static struct sim_config with_defaults(const struct sim_config *config)
{
	struct sim_config c = *config;

	c.cpus = c.cpus ? c.cpus : DEFAULT_CPUS;
	c.threads |= use_threads;
	c.ram_pages = c.ram_pages ? c.ram_pages : DEFAULT_RAM;
	c.seed = c.seed ? c.seed : seed;
	c.switch_one_in = c.switch_one_in ? c.switch_one_in : 4;
	c.prefetch_one_in = c.prefetch_one_in ? c.prefetch_one_in : 16;
	c.evict_one_in = c.evict_one_in ? c.evict_one_in : 64;
	return c;
}

/* Who runs, for the instruments of mm/debug. */
static void identify(struct debug_who *who)
{
	struct sim_thread *t = current_sim();

	*who = (struct debug_who){.tid = t ? t->tid : 0, .pt = t && t->mm ? &t->mm->pt : NULL};
}

static void boot(const struct sim_config *c)
{
	struct arch_context boot_context = {0};

	booted = *c;
	cpus[0].ctx = &boot_context;
	host_ram_init(c->ram_pages, c->high_pages);
	phys_init();
	mm_init_subsystem();
	mirror_init_subsystem();
	file_init();
	mm_debug_init(identify);
	rcu_cpu_online();
	cpus[0].ctx = NULL;
}

static void boot_once(const struct sim_config *c)
{
	if (!booted.ram_pages)
		boot(c);
	BUG_ON(booted.ram_pages != c->ram_pages || booted.high_pages != c->high_pages); /* one machine in a process */
}

/* -- judgement ------------------------------------------------------------------------------------------------------------ */
static struct account take_account(void)
{
	struct account a = {.files = file_count()};
	struct phys_stat st;

	(void)radix_preload(); /* the pool is full before and after */
	phys_stat(&st);
	a.pages = st.free + st.slab;
	for (struct slab_cache *c = slab_cache_next(NULL); c; c = slab_cache_next(c))
		a.objects += slab_cache_in_use(c);
	a.objects -= slab_debug_delayed();
	return a;
}

unsigned long sim_free_pages(void)
{
	struct phys_stat st;

	phys_stat(&st);
	return st.free;
}

unsigned sim_audit(bool leaks)
{
	struct mm_audit a = {.flags = MM_AUDIT_SILENT | (leaks ? MM_AUDIT_LEAKS : 0)};

	mm_audit(&a);
	if (a.errors)
		sim_fail("auditor: %llu complaints, the first: %s", (unsigned long long)a.errors, a.first);
	return (unsigned)a.errors;
}

static unsigned threads_left(void)
{
	struct sim_thread *t;
	unsigned n = 0;

	sched_lock();
	list_for_each_entry(t, &sched_threads, all_link)
		n += t->fn != rcu_main && t != current_sim();
	sched_unlock();
	return n;
}

static void judge(const struct account *before)
{
	struct account after;

	if (threads_left()) {
		sim_fail("%u threads were not joined", threads_left());
		return;
	}
	rcu_barrier();
	sim_tlb_stale(true);
	sim_audit(true);
	after = take_account();
	if (after.files != before->files)
		sim_fail("%d files were not put", (int)(after.files - before->files));
	if (after.objects != before->objects)
		sim_fail("%ld kernel objects are left", (long)(after.objects - before->objects));
	if (after.pages != before->pages)
		sim_fail("%ld pages are missing", (long)(before->pages - after.pages));
	if (!list_empty(&mm_list))
		sim_fail("address spaces were not put");
}

/* -- runs ---------------------------------------------------------------------------------------------------------------- */
static void main_body(void *arg)
{
	struct main_thread *m = arg;
	struct account before = sched_config.no_audit ? (struct account){0} : take_account();
	unsigned at_start = sim_failures();

	m->fn(m->arg);
	sim_use(NULL);
	if (!sched_config.no_audit)
		judge(&before);
	m->complaints = sim_failures() - at_start;
}

/* Threads that live as long as the machine. => once for each mode */
static void start_helpers(void)
{
	sched_mode->start(sched_create(NULL, cpu_count - 1, rcu_main, NULL));
}

int sim_run(const struct sim_config *config, void (*main)(void *), void *arg)
{
	struct sim_config c = with_defaults(config);
	struct main_thread m = {main, arg, 0};
	struct sim_thread *t;

	boot_once(&c);
	BUG_ON(ran && c.threads != threaded);
	sched_begin(&c);
	host_cpus_online(c.cpus, rcu_cpu_online);
	sched_mode = c.threads ? &threads_mode : &seeded_mode;
	if (!ran)
		start_helpers();
	ran = true;
	threaded = c.threads;
	t = sched_create(NULL, 0, main_body, &m);
	sched_mode->start(t);
	sched_mode->run(t);
	if (t->context)
		os_context_free(t->context);
	sched_free(t);
	return (int)m.complaints;
}

struct isolated {
	const struct sim_config *config;
	void (*main)(void *);
	void *arg;
};

static int run_child(void *arg)
{
	struct isolated *i = arg;

	return sim_run(i->config, i->main, i->arg) ? SIM_COMPLAINED : SIM_PASSED;
}

enum sim_verdict sim_run_isolated(const struct sim_config *config, void (*main)(void *), void *arg, unsigned limit_ms)
{
	struct isolated i = {config, main, arg};
	enum sim_verdict v;
	int status;

	BUG_ON(ran); /* the child would start from what that run left */
	status = os_fork_run(run_child, &i, limit_ms, config->mute);
	if (status == OS_TIMED_OUT) {
		say_replay("time limit", with_defaults(config).seed);
		v = SIM_TIMED_OUT;
	} else {
		v = status >= 0 && status <= SIM_TIMED_OUT ? (enum sim_verdict)status : SIM_CRASHED;
	}
	if (v == SIM_CRASHED)
		say_replay("crash", with_defaults(config).seed);
	failures += v != SIM_PASSED;
	return v;
}

void sim_boot(const struct sim_config *config)
{
	struct sim_config c = with_defaults(config);

	boot_once(&c);
}

/* -- failpoints -------------------------------------------------------------------------------------------------------------- */
void sim_failpoint(const char *name, u64 nth)
{
	struct mm_fail arg = {.nth = nth, .tid = (u64)current_sim()->tid};

	strlcpy(arg.name, name, sizeof(arg.name));
	BUG_ON(failpoint_arm(sim_failpoint, &arg));
}

u64 sim_failpoint_end(const char *name)
{
	struct mm_fail arg = {0};

	strlcpy(arg.name, name, sizeof(arg.name));
	(void)failpoint_hits(&arg);
	failpoint_disarm_all(sim_failpoint);
	return arg.hits;
}
