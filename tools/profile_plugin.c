/*
 * profile_plugin.c - a QEMU plugin: how often each translated block ran while the bench program was measuring.
 *
 *   put=ADDRESS low=ADDRESS high=ADDRESS out=FILE
 *
 * bench reads the TSC before and after each operation, and what lies between two readings of it in its own text
 * [low, high) is what is counted: the very instructions that the number is about.  A call of its function put() ends a
 * phase, so phases and printed lines are in the same order.  Output: for each phase "phase N pairs", for each block and
 * phase in which it ran "block ADDRESS INSTRUCTIONS PHASE COUNT".
 *
 * QEMU's plugin interface (version 1) is declared here by hand: the distribution ships no header.
 */
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef uint64_t plugin_id;
struct qemu_plugin_tb;
struct qemu_plugin_insn;
typedef void tb_trans_cb(plugin_id, struct qemu_plugin_tb *);
typedef void exec_cb(unsigned cpu, void *data);

void qemu_plugin_register_vcpu_tb_trans_cb(plugin_id, tb_trans_cb *);
void qemu_plugin_register_vcpu_tb_exec_cb(struct qemu_plugin_tb *, exec_cb *, int flags, void *data);
void qemu_plugin_register_vcpu_insn_exec_cb(struct qemu_plugin_insn *, exec_cb *, int flags, void *data);
void qemu_plugin_register_atexit_cb(plugin_id, void (*cb)(plugin_id, void *), void *data);
size_t qemu_plugin_tb_n_insns(const struct qemu_plugin_tb *);
uint64_t qemu_plugin_tb_vaddr(const struct qemu_plugin_tb *);
struct qemu_plugin_insn *qemu_plugin_tb_get_insn(const struct qemu_plugin_tb *, size_t);
const void *qemu_plugin_insn_data(const struct qemu_plugin_insn *);
size_t qemu_plugin_insn_size(const struct qemu_plugin_insn *);
uint64_t qemu_plugin_insn_vaddr(const struct qemu_plugin_insn *);
int qemu_plugin_install(plugin_id, const void *info, int argc, char **argv);
extern int qemu_plugin_version;
int qemu_plugin_version = 1;

#define PHASES 64
#define BUCKETS 65536u

struct block {
	struct block *next;
	uint64_t address;
	size_t instructions;
	uint64_t count[PHASES];
};

static struct block *buckets[BUCKETS];
static uint64_t put_at, low, high, pairs[PHASES];
static const char *out;
static unsigned phase;
static bool counting;

/* -- while the guest runs ------------------------------------------------------------------------------------------- */

static void on_block(unsigned cpu, void *data)
{
	struct block *b = data;

	(void)cpu;
	if (counting)
		b->count[phase]++;
}

static void on_tsc(unsigned cpu, void *data)
{
	(void)cpu;
	(void)data;
	if (counting)
		pairs[phase]++;
	counting = !counting;
}

static void on_put(unsigned cpu, void *data)
{
	(void)cpu;
	(void)data;
	counting = false;
	if (phase < PHASES - 1)
		phase++;
}

/* -- when a block is translated --------------------------------------------------------------------------------------- */

static struct block *block_at(uint64_t address, size_t instructions)
{
	struct block **bucket = &buckets[(address ^ address >> 16) % BUCKETS], *b = *bucket;

	while (b && (b->address != address || b->instructions != instructions))
		b = b->next;
	if (!b) {
		b = calloc(1, sizeof(*b));
		if (!b)
			abort();
		b->address = address;
		b->instructions = instructions;
		b->next = *bucket;
		*bucket = b;
	}
	return b;
}

static bool reads_tsc(const struct qemu_plugin_insn *insn)
{
	return qemu_plugin_insn_size(insn) == 2 && !memcmp(qemu_plugin_insn_data(insn), "\x0f\x31", 2);
}

static void on_translation(plugin_id id, struct qemu_plugin_tb *tb)
{
	size_t n = qemu_plugin_tb_n_insns(tb);

	(void)id;
	qemu_plugin_register_vcpu_tb_exec_cb(tb, on_block, 0, block_at(qemu_plugin_tb_vaddr(tb), n));
	for (size_t i = 0; i < n; i++) {
		struct qemu_plugin_insn *insn = qemu_plugin_tb_get_insn(tb, i);
		uint64_t at = qemu_plugin_insn_vaddr(insn);

		if (at == put_at)
			qemu_plugin_register_vcpu_insn_exec_cb(insn, on_put, 0, NULL);
		else if (at >= low && at < high && reads_tsc(insn))
			qemu_plugin_register_vcpu_insn_exec_cb(insn, on_tsc, 0, NULL);
	}
}

/* -- at the end ----------------------------------------------------------------------------------------------------------- */

static void write_counts(plugin_id id, void *data)
{
	FILE *f = fopen(out, "w");

	(void)id;
	(void)data;
	if (!f)
		return;
	for (unsigned p = 0; p <= phase; p++)
		fprintf(f, "phase %u %" PRIu64 "\n", p, pairs[p]);
	for (unsigned i = 0; i < BUCKETS; i++)
		for (const struct block *b = buckets[i]; b; b = b->next)
			for (unsigned p = 0; p <= phase; p++)
				if (b->count[p])
					fprintf(f, "block %" PRIx64 " %zu %u %" PRIu64 "\n", b->address, b->instructions, p, b->count[p]);
	fclose(f);
}

static uint64_t number(int argc, char **argv, const char *name)
{
	size_t n = strlen(name);

	for (int i = 0; i < argc; i++)
		if (!strncmp(argv[i], name, n) && argv[i][n] == '=')
			return strtoull(argv[i] + n + 1, NULL, 0);
	return 0;
}

int qemu_plugin_install(plugin_id id, const void *info, int argc, char **argv)
{
	(void)info;
	put_at = number(argc, argv, "put");
	low = number(argc, argv, "low");
	high = number(argc, argv, "high");
	for (int i = 0; i < argc; i++)
		if (!strncmp(argv[i], "out=", 4))
			out = strdup(argv[i] + 4);
	if (!out || !put_at)
		return -1;
	qemu_plugin_register_vcpu_tb_trans_cb(id, on_translation);
	qemu_plugin_register_atexit_cb(id, write_counts, NULL);
	return 0;
}
