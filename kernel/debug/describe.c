/*
 * describe.c - what gdb reads as XML: the registers that there are, and the threads.  Interface: internal.h.
 */
#include "kernel/debug/internal.h"
#include "kernel/lib/string.h"

static char document[24576];

static void write_feature(struct writer *w, const struct debug_feature *f)
{
	write_text(w, "<feature name=\"");
	write_text(w, f->name);
	write_text(w, "\">");
	if (f->types)
		write_text(w, f->types);
	for (unsigned i = 0; i < f->count; i++) {
		const struct debug_register *reg = &f->regs[i];

		write_format(w, "<reg name=\"%s\" bitsize=\"%u\"", reg->name, reg->bits);
		write_format(w, " type=\"%s\"/>", reg->type ?: reg->bits == 64 ? "int64" : "int32");
	}
	write_text(w, "</feature>");
}

const char *describe_target(size_t *length)
{
	struct writer w = writer_of(document, sizeof(document));

	write_text(
		&w, "<?xml version=\"1.0\"?><!DOCTYPE target SYSTEM \"gdb-target.dtd\"><target version=\"1.0\"><architecture>");
	write_text(&w, debug_architecture);
	write_text(&w, "</architecture>");
	for (unsigned i = 0; i < debug_feature_count; i++)
		write_feature(&w, &debug_features[i]);
	write_text(&w, "</target>");
	*length = writer_length(&w);
	return w.full ? NULL : document;
}

static void write_name(struct writer *w, const struct target *t)
{
	char name[40];
	struct writer plain = writer_of(name, sizeof(name));

	target_name(t, &plain);
	for (const char *p = name; p < plain.p; p++)
		if (*p < ' ' || strchr("<>&\"", *p))
			write_format(w, "&#%u;", *p < ' ' ? '?' : (unsigned)*p);
		else
			write_char(w, *p);
}

/* Those that do not fit are left out. @again: the next piece of the same. */
const char *describe_threads(size_t *length, bool again)
{
	static const char end[] = "</threads>";
	static struct writer w;
	struct target t;

	if (again && w.start == document) {
		*length = writer_length(&w);
		return document;
	}
	w = writer_of(document, sizeof(document));
	write_text(&w, "<?xml version=\"1.0\"?><threads>");
	for (bool more = target_next(NULL, &t); more && w.end - w.p > 200;
	     more = target_next(&(struct target){t.id, t.cpu, t.task}, &t)) {
		write_format(&w, "<thread id=\"%x\" core=\"%u\" name=\"", t.id, t.cpu);
		write_name(&w, &t);
		write_text(&w, "\"/>");
	}
	write_text(&w, end);
	*length = writer_length(&w);
	return document;
}
