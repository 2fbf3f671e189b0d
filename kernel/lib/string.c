/*
 * string.c - memory and string functions.  Layer 0.
 *
 * The four that the compiler itself calls move words; the pattern-recognition that would turn their
 * loops back into calls of themselves is switched off.
 */
#include "kernel/lib/string.h"

#include "kernel/lib/kasan.h"

#define NO_IDIOM __attribute__((optimize("no-tree-loop-distribute-patterns")))
#define WORD sizeof(unsigned long)

/* Words that may lie at any address (x86 does not mind) and alias anything. */
typedef unsigned long __attribute__((may_alias, aligned(1))) word_t;

NO_KASAN NO_IDIOM void *memset(void *dst, int c, size_t n)
{
	unsigned long pattern = (~0UL / 0xff) * (u8)c;
	u8 *d = dst;

	kasan_check(dst, n, true);

	for (; n >= 8 * WORD; n -= 8 * WORD, d += 8 * WORD) {
		word_t *w = (word_t *)d;

		w[0] = pattern;
		w[1] = pattern;
		w[2] = pattern;
		w[3] = pattern;
		w[4] = pattern;
		w[5] = pattern;
		w[6] = pattern;
		w[7] = pattern;
	}
	for (; n >= WORD; n -= WORD, d += WORD)
		*(word_t *)d = pattern;
	while (n--)
		*d++ = (u8)c;
	return dst;
}

/* Ascending; right also for overlapping ranges with dst < src. */
NO_KASAN NO_IDIOM static void copy_up(u8 *d, const u8 *s, size_t n)
{
	for (; n >= 4 * WORD; n -= 4 * WORD, d += 4 * WORD, s += 4 * WORD) {
		const word_t *from = (const word_t *)s;
		word_t *to = (word_t *)d;
		unsigned long a = from[0], b = from[1], c = from[2], e = from[3];

		to[0] = a;
		to[1] = b;
		to[2] = c;
		to[3] = e;
	}
	for (; n >= WORD; n -= WORD, d += WORD, s += WORD)
		*(word_t *)d = *(const word_t *)s;
	while (n--)
		*d++ = *s++;
}

NO_KASAN void *memcpy(void *dst, const void *src, size_t n)
{
	kasan_check(src, n, false);
	kasan_check(dst, n, true);
	copy_up(dst, src, n);
	return dst;
}

NO_KASAN NO_IDIOM void *memmove(void *dst, const void *src, size_t n)
{
	u8 *d = dst;
	const u8 *s = src;

	kasan_check(src, n, false);
	kasan_check(dst, n, true);
	if (d <= s || d >= s + n) {
		copy_up(d, s, n);
		return dst;
	}
	for (; n >= WORD; n -= WORD)
		*(word_t *)(d + n - WORD) = *(const word_t *)(s + n - WORD);
	while (n--)
		d[n] = s[n];
	return dst;
}

int memcmp(const void *a, const void *b, size_t n)
{
	const u8 *x = a, *y = b;

	for (; n >= WORD && *(const word_t *)x == *(const word_t *)y; n -= WORD, x += WORD, y += WORD)
		;
	for (; n; n--, x++, y++)
		if (*x != *y)
			return *x - *y;
	return 0;
}

void *memchr(const void *p, int c, size_t n)
{
	for (const u8 *s = p; n--; s++)
		if (*s == (u8)c)
			return (void *)s;
	return NULL;
}

NO_KASAN void *memchr_inv(const void *p, int c, size_t n)
{
	unsigned long pattern = (~0UL / 0xff) * (u8)c;
	const u8 *s = p;

	kasan_check(p, n, false);
	for (; n >= WORD && *(const word_t *)s == pattern; n -= WORD, s += WORD)
		;
	for (; n; n--, s++)
		if (*s != (u8)c)
			return (void *)s;
	return NULL;
}

NO_IDIOM size_t strlen(const char *s)
{
	size_t n = 0;

	while (s[n])
		n++;
	return n;
}

size_t strnlen(const char *s, size_t max)
{
	size_t n = 0;

	while (n < max && s[n])
		n++;
	return n;
}

int strcmp(const char *a, const char *b)
{
	while (*a && *a == *b)
		a++, b++;
	return (u8)*a - (u8)*b;
}

int strncmp(const char *a, const char *b, size_t n)
{
	for (; n; n--, a++, b++)
		if (*a != *b || !*a)
			return (u8)*a - (u8)*b;
	return 0;
}

char *strchr(const char *s, int c)
{
	for (;; s++) {
		if (*s == (char)c)
			return (char *)s;
		if (!*s)
			return NULL;
	}
}

char *strrchr(const char *s, int c)
{
	const char *found = NULL;

	for (;; s++) {
		if (*s == (char)c)
			found = s;
		if (!*s)
			return (char *)found;
	}
}

char *strstr(const char *s, const char *what)
{
	size_t n = strlen(what);

	for (; strncmp(s, what, n) != 0; s++)
		if (!*s)
			return NULL;
	return (char *)s;
}

char *strcpy(char *dst, const char *src)
{
	memcpy(dst, src, strlen(src) + 1);
	return dst;
}

size_t strlcpy(char *dst, const char *src, size_t size)
{
	size_t n = strlen(src);

	if (size) {
		size_t copy = n < size ? n : size - 1;

		memcpy(dst, src, copy);
		dst[copy] = '\0';
	}
	return n;
}

size_t strlcat(char *dst, const char *src, size_t size)
{
	size_t n = strnlen(dst, size);

	return n + strlcpy(dst + n, src, size - n);
}

size_t strspn(const char *s, const char *accept)
{
	size_t n = 0;

	while (s[n] && strchr(accept, s[n]))
		n++;
	return n;
}

size_t strcspn(const char *s, const char *reject)
{
	size_t n = 0;

	while (s[n] && !strchr(reject, s[n]))
		n++;
	return n;
}

static int digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'Z')
		return c - 'A' + 10;
	return 99;
}

unsigned long strtoul(const char *s, char **end, int base)
{
	bool hex = s[0] == '0' && (s[1] | 0x20) == 'x' && digit(s[2]) < 16;
	unsigned long v = 0;

	if (hex && (base == 0 || base == 16)) {
		s += 2;
		base = 16;
	} else if (base == 0) {
		base = s[0] == '0' ? 8 : 10;
	}
	for (; digit(*s) < base; s++)
		v = v * (unsigned long)base + (unsigned long)digit(*s);
	if (end)
		*end = (char *)s;
	return v;
}

long strtol(const char *s, char **end, int base)
{
	if (*s == '-')
		return -(long)strtoul(s + 1, end, base);
	return (long)strtoul(s + (*s == '+'), end, base);
}
