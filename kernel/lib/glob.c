/*
 * glob.c - wildcard patterns.  Layer 0.
 */
#include "kernel/lib/glob.h"

static bool ends(char c)
{
	return c == '\0' || c == ',';
}

/* One alternative. On a mismatch after a *, go back and let the last * take one character more. */
static bool match_one(const char *p, const char *s)
{
	const char *star = NULL, *resume = NULL;

	for (;;) {
		if (*p == '*') {
			star = ++p;
			resume = s;
		} else if (*s && !ends(*p) && (*p == '?' || *p == *s)) {
			p++;
			s++;
		} else if (!*s && ends(*p)) {
			return true;
		} else if (star && *resume) {
			p = star;
			s = ++resume;
		} else {
			return false;
		}
	}
}

bool glob_match(const char *pattern, const char *s)
{
	for (;;) {
		if (match_one(pattern, s))
			return true;
		while (!ends(*pattern))
			pattern++;
		if (!*pattern++)
			return false;
	}
}
