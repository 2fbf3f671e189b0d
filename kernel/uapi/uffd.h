/*
 * uffd.h - userfaultfd(2): its flags, ioctls and messages, with Linux's numbers and layouts (the same on both widths: every
 * member is 64 bits wide or lies in a message of 32 bytes), and modes of our own from bit 32 on.  Facts; shared with user
 * programs, whose own header may lack the newer ones.  docs/userfaultfd.md says what each does.
 */
#ifndef KERNEL_UAPI_UFFD_H
#define KERNEL_UAPI_UFFD_H

#include <stdint.h>

enum {
	UFFDX_USER_MODE_ONLY = 1, /* userfaultfd(2), with O_CLOEXEC and O_NONBLOCK */
};

#define UFFDX_API_VERSION 0xaaull

/* What UFFDIO_API may ask for. */
enum {
	UFFDX_PAGEFAULT_FLAG_WP = 1 << 0,
	UFFDX_EVENT_FORK = 1 << 1,
	UFFDX_EVENT_REMAP = 1 << 2,
	UFFDX_EVENT_REMOVE = 1 << 3,
	UFFDX_MISSING_HUGETLBFS = 1 << 4,
	UFFDX_MISSING_SHMEM = 1 << 5,
	UFFDX_EVENT_UNMAP = 1 << 6,
	UFFDX_SIGBUS = 1 << 7,
	UFFDX_THREAD_ID = 1 << 8,
	UFFDX_MINOR_HUGETLBFS = 1 << 9,
	UFFDX_MINOR_SHMEM = 1 << 10,
	UFFDX_EXACT_ADDRESS = 1 << 11,
	UFFDX_WP_HUGETLBFS_SHMEM = 1 << 12,
	UFFDX_WP_UNPOPULATED = 1 << 13,
	UFFDX_POISON = 1 << 14,
	UFFDX_WP_ASYNC = 1 << 15,
	UFFDX_MOVE = 1 << 16,
	UFFDX_FEATURES = 0x1ffff,
};

struct uffdx_api {
	uint64_t api;      /* in: UFFDX_API_VERSION */
	uint64_t features; /* in: to be switched on; out: all there are */
	uint64_t ioctls;   /* out: a bit for each request that may be made at once */
};

struct uffdx_range {
	uint64_t start, len;
};

enum { UFFDX_REGISTER_MISSING = 1, UFFDX_REGISTER_WP = 2, UFFDX_REGISTER_MINOR = 4 };
struct uffdx_register {
	struct uffdx_range range; /* in */
	uint64_t mode;            /* in: UFFDX_REGISTER_* */
	uint64_t ioctls;          /* out: a bit for each request that the range understands */
};

/* The modes of the requests that follow; DONTWAKE: who waits goes on waiting, for a UFFDIO_WAKE. */
enum {
	UFFDX_COPY_DONTWAKE = 1,
	UFFDX_COPY_WP = 2,
	UFFDX_ZEROPAGE_DONTWAKE = 1,
	UFFDX_MOVE_DONTWAKE = 1,
	UFFDX_MOVE_ALLOW_SRC_HOLES = 2,
	UFFDX_WRITEPROTECT_WP = 1,
	UFFDX_WRITEPROTECT_DONTWAKE = 2,
	UFFDX_CONTINUE_DONTWAKE = 1,
	UFFDX_CONTINUE_WP = 2,
	UFFDX_POISON_DONTWAKE = 1,
};

/* Ours, for MOVE. */
#define UFFDX_MOVE_UNSHARE (1ull << 32) /* a page that others have too, or may have had: a copy of one's own first */
#define UFFDX_MOVE_PINNED (1ull << 33)  /* also pages that a device uses: it goes on with them where they are then */
#define UFFDX_MOVE_FROM_CALLER (1ull << 34) /* the source is the caller's address space, whosever the context is */

struct uffdx_copy {
	uint64_t dst, src, len, mode; /* in */
	int64_t copy;                 /* out: bytes, or a negative errno */
};

struct uffdx_zeropage {
	struct uffdx_range range; /* in */
	uint64_t mode;            /* in */
	int64_t zeropage;         /* out */
};

struct uffdx_move {
	uint64_t dst, src, len, mode; /* in */
	int64_t move;                 /* out */
};

struct uffdx_writeprotect {
	struct uffdx_range range;
	uint64_t mode;
};

struct uffdx_continue {
	struct uffdx_range range; /* in */
	uint64_t mode;            /* in */
	int64_t mapped;           /* out */
};

struct uffdx_poison {
	struct uffdx_range range; /* in */
	uint64_t mode;            /* in */
	int64_t updated;          /* out */
};

/* Linux's encoding of _IOC(dir, 0xaa, nr, type), in plain arithmetic. */
#define UFFDX_IOC(dir, nr, type) ((uint32_t)(dir) << 30 | (uint32_t)sizeof(type) << 16 | 0xaau << 8 | (nr))
#define UFFDX_IOC_API UFFDX_IOC(3, 0x3f, struct uffdx_api)
#define UFFDX_IOC_REGISTER UFFDX_IOC(3, 0, struct uffdx_register)
#define UFFDX_IOC_UNREGISTER UFFDX_IOC(2, 1, struct uffdx_range)
#define UFFDX_IOC_WAKE UFFDX_IOC(2, 2, struct uffdx_range)
#define UFFDX_IOC_COPY UFFDX_IOC(3, 3, struct uffdx_copy)
#define UFFDX_IOC_ZEROPAGE UFFDX_IOC(3, 4, struct uffdx_zeropage)
#define UFFDX_IOC_MOVE UFFDX_IOC(3, 5, struct uffdx_move)
#define UFFDX_IOC_WRITEPROTECT UFFDX_IOC(3, 6, struct uffdx_writeprotect)
#define UFFDX_IOC_CONTINUE UFFDX_IOC(3, 7, struct uffdx_continue)
#define UFFDX_IOC_POISON UFFDX_IOC(3, 8, struct uffdx_poison)
#define UFFDX_IOC_NEW (0xaau << 8) /* of /dev/userfaultfd; the argument is userfaultfd(2)'s flags */

_Static_assert(UFFDX_IOC_API == 0xc018aa3f && UFFDX_IOC_REGISTER == 0xc020aa00 && UFFDX_IOC_UNREGISTER == 0x8010aa01 &&
                   UFFDX_IOC_WAKE == 0x8010aa02 && UFFDX_IOC_COPY == 0xc028aa03 && UFFDX_IOC_ZEROPAGE == 0xc020aa04 &&
                   UFFDX_IOC_MOVE == 0xc028aa05 && UFFDX_IOC_WRITEPROTECT == 0xc018aa06 &&
                   UFFDX_IOC_CONTINUE == 0xc020aa07 && UFFDX_IOC_POISON == 0xc020aa08 && UFFDX_IOC_NEW == 0xaa00,
               "the ABI of spec 3c");

#define UFFDX_API_IOCTLS 0x8000000000000003ull /* API, REGISTER, UNREGISTER */
#define UFFDX_RANGE_IOCTLS 0x1fcull            /* WAKE to POISON */

enum {
	UFFDX_MSG_PAGEFAULT = 0x12,
	UFFDX_MSG_FORK,
	UFFDX_MSG_REMAP,
	UFFDX_MSG_REMOVE,
	UFFDX_MSG_UNMAP,
};
enum { UFFDX_FAULT_WRITE = 1, UFFDX_FAULT_WP = 2, UFFDX_FAULT_MINOR = 4 };

struct uffdx_msg {
	uint8_t event;
	uint8_t reserved1;
	uint16_t reserved2;
	uint32_t reserved3;
	union {
		struct {
			uint64_t flags, address;
			uint32_t ptid;
		} pagefault;
		struct {
			uint32_t ufd;
		} fork;
		struct {
			uint64_t from, to, len;
		} remap;
		struct {
			uint64_t start, end;
		} remove; /* and unmap */
		uint64_t words[3];
	};
};
_Static_assert(sizeof(struct uffdx_msg) == 32, "32 bytes, on both widths");

#endif
