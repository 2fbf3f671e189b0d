/*
 * test_glob.c - patterns.
 * links: kernel/lib/glob.c
 */
#include "kernel/lib/glob.h"
#include "tests/unit/test.h"

static void single(void)
{
	CHECK(glob_match("abc", "abc") && !glob_match("abc", "ab") && !glob_match("ab", "abc"));
	CHECK(glob_match("*", "") && glob_match("*", "anything") && glob_match("a*c", "ac") && glob_match("a*c", "abbbc"));
	CHECK(glob_match("T0-*", "T0-17") && !glob_match("T0-*", "T1-17") && glob_match("T?-0?", "T4-03"));
	CHECK(glob_match("*ab*ab", "xababxab") && !glob_match("*ab*abc", "xababxab") && !glob_match("?", ""));
	CHECK(glob_match("", "") && !glob_match("", "a") && glob_match("a**b", "ab") && !glob_match("a*", "ba"));
	CHECK(!glob_match("a?", "a") && !glob_match("*a", "ab") && glob_match("*a*b*c*", "--a--b--c--"));
}

static void alternatives(void)
{
	CHECK(glob_match("T0-01,T0-02", "T0-02") && glob_match("T0-01,T0-02", "T0-01") && !glob_match("a,b", "a,b"));
	CHECK(glob_match("x,T?-*,y", "T4-13") && !glob_match("x*,y*", "z") && glob_match("a,,b", "") &&
	      glob_match("a,", ""));
	CHECK(!glob_match("a,b", "ab") && !glob_match("*x,*y", "xz"));
}

int main(void)
{
	RUN(single);
	RUN(alternatives);
	return test_end();
}
