/*
 * monitor.c - gdb's "monitor" commands: what is best asked of the kernel itself.  Interface: internal.h.
 */
#include <arch/debug.h>
#include <arch/pgtable.h>
#include <arch/phys.h>
#include <arch/smp.h>
#include "kernel/debug/internal.h"
#include "kernel/lib/ksyms.h"
#include "kernel/lib/printk.h"
#include "kernel/lib/string.h"
#include "mm/phys/vmstat.h"
#include "mm/pgtable/pgtable.h"

#define PIECE 512

/* To gdb's terminal, as packets of their own while the command's answer is awaited. */
static void output(const char *text, size_t n)
{
	static char packet[1 + 2 * PIECE];

	while (n > 0) {
		struct writer w = writer_of(packet, sizeof(packet));
		size_t piece = min(n, (size_t)PIECE);

		write_char(&w, 'O');
		write_bytes(&w, text, piece);
		packet_send(&session.link, packet, writer_length(&w));
		text += piece;
		n -= piece;
	}
}

void monitor_print(const char *fmt, ...)
{
	char text[160];
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vscnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	output(text, (size_t)n);
}

/* -- tasks, cpus ---------------------------------------------------------------------------------------------------------- */
static const char *state_name(unsigned state)
{
	switch (state) {
	case THREAD_RUNNING:
		return "runnable";
	case THREAD_INTERRUPTIBLE:
		return "sleeps";
	case THREAD_KILLABLE:
		return "sleeps (killable)";
	case THREAD_UNINTERRUPTIBLE:
		return "waits";
	case THREAD_STOPPED:
		return "stopped";
	default:
		return "?";
	}
}

static void print_target(const struct target *t)
{
	const struct thread *task = target_thread(t);
	struct debug_who who = target_who(t);
	unsigned long offset = 0;
	vaddr_t ip = arch_debug_ip(&who);
	const char *name = ip < USER_END ? "(program)" : ksym_lookup(ip, &offset);

	monitor_print("%8u  %-4s %2u  %6d  %-15.15s  %-17s  %lx %s+0x%lx\n", t->id, t->task ? "" : "cpu", t->cpu,
	              task ? task->tid : 0, task ? task->name : "-", task && t->task ? state_name(task->state) : "runs", ip,
	              name ?: "?", offset);
}

static void tasks(const char *arg)
{
	struct target t;

	monitor_print("  thread        cpu   tid  name             state              where\n");
	for (bool more = target_next(NULL, &t); more; more = target_next(&(struct target){t.id, t.cpu, t.task}, &t))
		print_target(&t);
}

/* -- pt ADDR: the chosen thread's walk, level by level ----------------------------------------------------------------------- */
static void print_entry(const struct pte_view *view, unsigned level, vaddr_t va)
{
	monitor_print("  level %u [%4u] %s", level, pt_index(level, va), pte_kind_name(view->kind));
	if (view->kind == PTE_KIND_TABLE)
		monitor_print(" pfn %llx", (unsigned long long)view->payload);
	else if (view->kind != PTE_KIND_NONE)
		monitor_print(" %llx grant=%c%c%c%s%s%s%s", (unsigned long long)view->payload,
		              view->grant & GRANT_R ? 'r' : '-', view->grant & GRANT_W ? 'w' : '-',
		              view->grant & GRANT_X ? 'x' : '-', view->write ? " write" : "", view->accessed ? " accessed" : "",
		              view->dirty ? " dirty" : "", view->special ? " special" : "");
	monitor_print("\n");
}

static void walk(paddr_t root, vaddr_t va)
{
	for (unsigned level = PT_LEVELS - 1;; level--) {
		pte_t pte = hw_pte_get_lockless(hw_pte_at(phys_to_virt(root), pt_index(level, va)));
		struct pte_view view = pte_decode(pte, level);

		print_entry(&view, level, va);
		if (!level || !pte_is_table(pte, level))
			return;
		root = (paddr_t)pte_table_pfn(pte) << PAGE_SHIFT;
	}
}

static void pt(const char *arg)
{
	struct pgtable *space = target_space(&session.chosen);
	char *end;
	vaddr_t va = strtoul(arg, &end, 16);

	if (end == arg || *end)
		monitor_print("pt ADDR: the address, in hexadecimal\n");
	else if (va < USER_END ? !space : !PT_MAPS_KERNEL)
		monitor_print(va < USER_END ? "this thread has no memory of its own\n" : "not by these tables\n");
	else
		walk(space ? space->root_pa : arch_pgtable_kernel_root(), va);
}

/* -- the rest -------------------------------------------------------------------------------------------------------------------- */
static void log_show(const char *arg)
{
	unsigned long pos = 0;
	char text[PIECE];
	size_t n;

	while ((n = log_read(&pos, text, sizeof(text))) > 0)
		output(text, n);
}

static void vmstat(const char *arg)
{
	for (unsigned event = 0; event < VM_EVENT_COUNT; event++)
		monitor_print("%s %lu\n", vm_event_name((enum vm_event)event), vm_event_sum((enum vm_event)event));
}

static void where(const char *arg)
{
	char *end;
	vaddr_t va = strtoul(arg, &end, 16);
	unsigned long offset;
	const char *name = ksym_lookup(va, &offset);

	if (end == arg || *end || !name)
		monitor_print("where ADDR: an address in the kernel's code, in hexadecimal\n");
	else
		monitor_print("%s+0x%lx\n", name, offset);
}

static void reboot(const char *arg)
{
	cpu_reboot();
}

static void help(const char *arg);

static const struct {
	const char *name, *help;
	void (*fn)(const char *arg);
} commands[] = {
	{"help", "this list", help},
	{"tasks", "every CPU and every thread, with the numbers that gdb has for them", tasks},
	{"pt", "ADDR: the entries on the way to an address of the chosen thread, decoded", pt},
	{"log", "the kernel's messages", log_show},
	{"vmstat", "events of the memory manager, counted", vmstat},
	{"where", "ADDR: which function", where},
	{"reboot", "start the machine again", reboot},
};

static void help(const char *arg)
{
	for (unsigned i = 0; i < ARRAY_SIZE(commands); i++)
		monitor_print("%-8s %s\n", commands[i].name, commands[i].help);
}

void monitor(const char *line)
{
	size_t n = strcspn(line, " ");
	const char *arg = line + n + strspn(line + n, " ");

	for (unsigned i = 0; i < ARRAY_SIZE(commands); i++)
		if (strlen(commands[i].name) == n && !strncmp(line, commands[i].name, n)) {
			commands[i].fn(arg);
			return;
		}
	monitor_print("no such command; try help\n");
}
