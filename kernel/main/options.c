/*
 * options.c - the kernel command line.  Layer 11.  Interface: options.h.
 */
#include "kernel/main/options.h"

#include <arch/phys.h>

#include "kernel/lib/string.h"

/* The text behind @name in its word: "" or "=value..."; NULL if no word begins so. */
static const char *find_word(const char *name)
{
	size_t n = strlen(name);

	for (const char *p = boot_info.cmdline; *p;) {
		while (*p == ' ')
			p++;
		if (!strncmp(p, name, n) && (p[n] == '\0' || p[n] == ' ' || p[n] == '='))
			return p + n;
		while (*p && *p != ' ')
			p++;
	}
	return NULL;
}

bool option_present(const char *name)
{
	return find_word(name) != NULL;
}

bool option_value(const char *name, char *value, size_t size)
{
	const char *p = find_word(name);
	size_t n = 0;

	value[0] = '\0';
	if (!p || *p != '=')
		return false;
	for (p++; *p && *p != ' ' && n + 1 < size; p++)
		value[n++] = *p;
	value[n] = '\0';
	return true;
}
