/*
 * test_printf.c - formatted printing against the C library's.
 */
#define vsnprintf k_vsnprintf
#define snprintf k_snprintf
#define vscnprintf k_vscnprintf
#define scnprintf k_scnprintf
#include "kernel/lib/printf.c"
#undef vsnprintf
#undef snprintf
#include "tests/unit/test.h"

/* Both give the same text and length. */
#define SAME(...)                                                 \
	do {                                                          \
		char ours_[128], theirs_[128];                            \
		int n_ = k_snprintf(ours_, sizeof(ours_), __VA_ARGS__);   \
		int m_ = snprintf(theirs_, sizeof(theirs_), __VA_ARGS__); \
		CHECK(n_ == m_ && !strcmp(ours_, theirs_));               \
		if (n_ != m_ || strcmp(ours_, theirs_))                   \
			printf("# \"%s\" is not \"%s\"\n", ours_, theirs_);   \
	} while (0)

#pragma GCC diagnostic ignored "-Wformat"
#pragma GCC diagnostic ignored "-Wformat-truncation"
#pragma GCC diagnostic ignored "-Wformat-overflow"

static const long long values[] = {0,
                                   1,
                                   -1,
                                   9,
                                   10,
                                   255,
                                   256,
                                   -128,
                                   65535,
                                   2147483647,
                                   -2147483648LL,
                                   4294967295LL,
                                   4294967296LL,
                                   9223372036854775807LL,
                                   -9223372036854775807LL - 1};

static void integers(void)
{
	for (unsigned i = 0; i < ARRAY_SIZE(values); i++) {
		long long v = values[i];

		SAME("%d %i %u %x %X %o", (int)v, (int)v, (unsigned)v, (unsigned)v, (unsigned)v, (unsigned)v);
		SAME("%ld %lu %lx %zu %zd", (long)v, (unsigned long)v, (unsigned long)v, (size_t)v, (ssize_t)v);
		SAME("%lld %llu %llx %llX", v, (unsigned long long)v, (unsigned long long)v, (unsigned long long)v);
		SAME("%hhd %hhu %hd %hx", (char)v, (unsigned char)v, (short)v, (unsigned short)v);
		SAME("[%12lld] [%-12lld] [%012lld] [%+lld] [% lld]", v, v, v, v, v);
		SAME("[%.5lld] [%10.4lld] [%-10.4llx] [%#llx] [%#o]", v, v, v, v, (unsigned)v);
		SAME("[%5d] [%-5d] [%05d] [%.0d] [%.3d]", (int)v, (int)v, (int)v, (int)v, (int)v);
		SAME("[%*d] [%-*d] [%.*d]", 8, (int)v, 8, (int)v, 6, (int)v);
	}
	SAME("[%*d]", -6, 42);
}

static void strings(void)
{
	SAME("[%s] [%10s] [%-10s] [%.2s] [%10.2s] [%.*s]", "abc", "abc", "abc", "abc", "abc", 1, "abc");
	SAME("[%c] [%5c] [%-5c] %%", 'x', 'y', 'z');
	SAME("%s", "");
	SAME("plain text");
}

static void pointers(void)
{
	char text[40];

	k_snprintf(text, sizeof(text), "%p %p", (void *)0x1234, NULL);
	CHECK(!strcmp(text, "0x1234 0x0"));
	k_snprintf(text, sizeof(text), "%s", (char *)NULL);
	CHECK(!strcmp(text, "(null)"));
}

static void truncation(void)
{
	char text[8] = "1234567";

	CHECK(k_snprintf(text, 4, "abcdef") == 6 && !strcmp(text, "abc") && text[4] == '5');
	CHECK(k_snprintf(text, 1, "abcdef") == 6 && text[0] == '\0');
	CHECK(k_snprintf(NULL, 0, "%d", 12345) == 5);
	CHECK(k_scnprintf(text, 4, "abcdef") == 3 && k_scnprintf(text, 8, "ab") == 2 && k_scnprintf(NULL, 0, "ab") == 0);
	CHECK(k_snprintf(text, 8, "ab%") == 2 && k_snprintf(text, 8, "%q") == 2);
}

int main(void)
{
	RUN(integers);
	RUN(strings);
	RUN(pointers);
	RUN(truncation);
	return test_end();
}
