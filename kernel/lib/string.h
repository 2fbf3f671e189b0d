/*
 * string.h - memory and string functions, and formatted printing into a buffer.  Layer 0.
 */
#ifndef KERNEL_LIB_STRING_H
#define KERNEL_LIB_STRING_H

#include "kernel/lib/types.h"

void *memcpy(void *dst, const void *src, size_t n);
void *memmove(void *dst, const void *src, size_t n);
void *memset(void *dst, int c, size_t n);
int memcmp(const void *a, const void *b, size_t n);
void *memchr(const void *p, int c, size_t n);
/* The first byte in [p, p + n) that is not @c, or NULL. */
void *memchr_inv(const void *p, int c, size_t n);

size_t strlen(const char *s);
size_t strnlen(const char *s, size_t max);
int strcmp(const char *a, const char *b);
int strncmp(const char *a, const char *b, size_t n);
char *strchr(const char *s, int c);
char *strrchr(const char *s, int c);
char *strstr(const char *s, const char *what);
char *strcpy(char *dst, const char *src);
/* Copies at most @size - 1 bytes, always terminates (if @size > 0); returns strlen(@src). */
size_t strlcpy(char *dst, const char *src, size_t size);
size_t strlcat(char *dst, const char *src, size_t size);
size_t strspn(const char *s, const char *accept);
size_t strcspn(const char *s, const char *reject);

/* Decimal, 0x hexadecimal or 0 octal when @base is 0. *@end (may be NULL): first unused character. */
unsigned long strtoul(const char *s, char **end, int base);
long strtol(const char *s, char **end, int base);

/*
 * %s %c %d %i %u %o %x %X %p %%, lengths hh h l ll z t j, flags - + space 0 #, width and precision (also *).
 * Returns the length the whole text has; at most @size - 1 bytes and a NUL are stored.
 */
int vsnprintf(char *buf, size_t size, const char *fmt, va_list ap);
__printf(3, 4) int snprintf(char *buf, size_t size, const char *fmt, ...);
/* The same, but returns what was really stored (without the NUL): for appending in a loop. */
int vscnprintf(char *buf, size_t size, const char *fmt, va_list ap);
__printf(3, 4) int scnprintf(char *buf, size_t size, const char *fmt, ...);

#endif
