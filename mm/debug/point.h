/*
 * point.h - what sync points and failpoints have in common: a name that a test gave, and who armed it.
 *
 * Layer 8, private to mm/debug.  Each kind keeps an array of a struct with at least these:
 *
 *	char name[MM_NAME_MAX];
 *	const void *owner;       NULL: not armed
 */
#ifndef MM_DEBUG_POINT_H
#define MM_DEBUG_POINT_H

#include "kernel/lib/string.h"
#include "kernel/uapi/mm_debug.h"

static inline bool point_name_ok(const char *name)
{
	size_t n = strnlen(name, MM_NAME_MAX);

	return n > 0 && n < MM_NAME_MAX;
}

/* The armed point of this name in the array @points, or NULL. => its lock */
#define point_find(points, name_)                                          \
	({                                                                     \
		typeof(&(points)[0]) point = (points), found = NULL;               \
		for (; !found && point < (points) + ARRAY_SIZE(points); point++)   \
			if (point->owner && !strncmp(point->name, name_, MM_NAME_MAX)) \
				found = point;                                             \
		found;                                                             \
	})

#endif
