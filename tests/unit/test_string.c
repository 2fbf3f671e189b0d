/*
 * test_string.c - memory and string functions at every small length and alignment.
 */
#include <string.h>
#define memcpy k_memcpy
#define memmove k_memmove
#define memset k_memset
#define memcmp k_memcmp
#define memchr k_memchr
#define strlen k_strlen
#define strnlen k_strnlen
#define strcmp k_strcmp
#define strncmp k_strncmp
#define strchr k_strchr
#define strrchr k_strrchr
#define strstr k_strstr
#define strcpy k_strcpy
#define strlcpy k_strlcpy
#define strlcat k_strlcat
#define strspn k_strspn
#define strcspn k_strcspn
#define strtoul k_strtoul
#define strtol k_strtol
#include "kernel/lib/string.c"
#undef memcpy
#undef memmove
#undef memset
#undef memcmp
#undef strcmp
#undef strtoul
#undef strtol
#include "tests/unit/test.h"

#define SIZE 200
static u8 a[SIZE], b[SIZE], original[SIZE];

static void fresh(void)
{
	for (unsigned i = 0; i < SIZE; i++)
		a[i] = b[i] = original[i] = (u8)test_random();
}

static void copying(void)
{
	for (unsigned n = 0; n < 100; n++)
		for (unsigned from = 0; from < 9; from++)
			for (unsigned to = 0; to < 9; to++) {
				fresh();
				CHECK(k_memcpy(a + 100 + to, a + from, min(n, 91 - to)) == a + 100 + to);
				memcpy(b + 100 + to, b + from, min(n, 91 - to));
				CHECK(!memcmp(a, b, SIZE));
			}
}

static void moving(void)
{
	for (unsigned n = 0; n < 100; n++)
		for (int distance = -40; distance <= 40; distance++) {
			fresh();
			k_memmove(a + 50 + distance, a + 50, n);
			memmove(b + 50 + distance, b + 50, n);
			CHECK(!memcmp(a, b, SIZE));
		}
}

static void filling(void)
{
	for (unsigned n = 0; n < 100; n++)
		for (unsigned to = 0; to < 9; to++) {
			fresh();
			CHECK(k_memset(a + to, 0x1a5, n) == a + to);
			memset(b + to, 0xa5, n);
			CHECK(!memcmp(a, b, SIZE));
			CHECK(memchr_inv(a + to, 0xa5, n) == NULL);
		}
}

static void comparing(void)
{
	for (unsigned n = 1; n < 60; n++)
		for (unsigned at = 0; at < n; at++) {
			fresh();
			a[at] = 1;
			b[at] = 200;
			CHECK(k_memcmp(a, b, n) < 0 && k_memcmp(b, a, n) > 0 && k_memcmp(a, b, at) == 0);
			k_memset(a, 7, n);
			a[at] = 8;
			CHECK(memchr_inv(a, 7, n) == a + at && k_memchr(a, 8, n) == a + at && !k_memchr(a, 9, n));
		}
}

static void strings(void)
{
	char t[10];

	CHECK(k_strlen("") == 0 && k_strlen("abc") == 3 && k_strnlen("abc", 2) == 2 && k_strnlen("abc", 9) == 3);
	CHECK(k_strcmp("a", "b") < 0 && k_strcmp("\xff", "a") > 0 && k_strcmp("ab", "ab") == 0 && k_strcmp("a", "") > 0);
	CHECK(k_strncmp("abc", "abd", 2) == 0 && k_strncmp("abc", "abd", 3) < 0 && k_strncmp("a", "a", 5) == 0);
	CHECK(!strcmp(k_strchr("a/b/c", '/'), "/b/c") && !strcmp(k_strrchr("a/b/c", '/'), "/c") && !k_strchr("a", 'x'));
	CHECK(*k_strchr("a", 0) == 0 && !k_strrchr("a", 'x'));
	CHECK(!strcmp(k_strstr("foobar", "oba"), "obar") && !k_strstr("foobar", "x") && *k_strstr("ab", "") == 'a');
	CHECK(k_strlcpy(t, "0123456789ab", sizeof(t)) == 12 && !strcmp(t, "012345678"));
	CHECK(k_strlcpy(t, "abc", sizeof(t)) == 3 && k_strlcat(t, "defghijk", sizeof(t)) == 11 && !strcmp(t, "abcdefghi"));
	CHECK(k_strspn("aabc", "ab") == 3 && k_strcspn("aabc", "c") == 3 && k_strcspn("abc", "x") == 3);
}

static void numbers(void)
{
	char *end;

	CHECK(k_strtoul("123x", &end, 10) == 123 && *end == 'x');
	CHECK(k_strtoul("0x1fG", &end, 0) == 31 && *end == 'G');
	CHECK(k_strtoul("0755", NULL, 0) == 0755 && k_strtoul("ff", NULL, 16) == 255 && k_strtoul("0", NULL, 0) == 0);
	CHECK(k_strtol("-42", NULL, 10) == -42 && k_strtol("+7", NULL, 0) == 7);
}

int main(void)
{
	RUN(copying);
	RUN(moving);
	RUN(filling);
	RUN(comparing);
	RUN(strings);
	RUN(numbers);
	return test_end();
}
