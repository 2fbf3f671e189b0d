/*
 * gup_test.h - the requests of Linux's gup_test device, numbers and layout as there; /dev/dma answers them.
 *
 * The structures are made of u64 that i386 aligns to 4 bytes, so their sizes, and with them the numbers, differ between the
 * two widths.  which_pages: 1 for the first page; 0 ends the list.
 */
#ifndef KERNEL_UAPI_GUP_TEST_H
#define KERNEL_UAPI_GUP_TEST_H

#include <stdint.h>

#define GUP_TEST_MAX_PAGES_TO_DUMP 8

struct gup_test {
	uint64_t get_delta_usec, put_delta_usec; /* out */
	uint64_t addr;                           /* in */
	uint64_t size;                           /* in: bytes; out: how far it came */
	uint32_t nr_pages_per_call;              /* in */
	uint32_t gup_flags;                      /* in: FOLL_* */
	uint32_t test_flags;                     /* in: 1: DUMP_USER_PAGES_TEST pins */
	uint32_t which_pages[GUP_TEST_MAX_PAGES_TO_DUMP];
};

enum { PIN_LONGTERM_TEST_FLAG_USE_WRITE = 1, PIN_LONGTERM_TEST_FLAG_USE_FAST = 2 };
struct pin_longterm_test {
	uint64_t addr, size;
	uint32_t flags;
};

#define GUP_IOC(direction, nr, size) ((uint32_t)(direction) << 30 | (uint32_t)(size) << 16 | 'g' << 8 | (nr))
#define GUP_FAST_BENCHMARK GUP_IOC(3, 1, sizeof(struct gup_test))
#define PIN_FAST_BENCHMARK GUP_IOC(3, 2, sizeof(struct gup_test))
#define PIN_LONGTERM_BENCHMARK GUP_IOC(3, 3, sizeof(struct gup_test))
#define GUP_BASIC_TEST GUP_IOC(3, 4, sizeof(struct gup_test))
#define PIN_BASIC_TEST GUP_IOC(3, 5, sizeof(struct gup_test))
#define DUMP_USER_PAGES_TEST GUP_IOC(3, 6, sizeof(struct gup_test))
#define PIN_LONGTERM_TEST_START GUP_IOC(1, 7, sizeof(struct pin_longterm_test))
#define PIN_LONGTERM_TEST_STOP GUP_IOC(0, 8, 0)
#define PIN_LONGTERM_TEST_READ GUP_IOC(1, 9, sizeof(uint64_t)) /* the address of memory for all pages' content */

#endif
