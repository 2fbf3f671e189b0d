/*
 * mm.h - an address space: its ranges (vmas), its page tables, and the operations on them.
 *
 * Layer 6 (mm/space).  Every operation follows the same shape: check everything first (may fail, changes
 * nothing), then commit (cannot fail).  Errors are negative Linux errnos.
 */
#ifndef MM_SPACE_MM_H
#define MM_SPACE_MM_H

#include <arch/upcall.h>
#include "kernel/lib/rbtree.h"
#include "kernel/sync/mutex.h"
#include "kernel/sync/rwsem.h"
#include "kernel/uapi/remap.h"
#include "mm/object/object.h"
#include "mm/pgtable/pgtable.h"
#include "mm/rmap/anon.h"
#include "mm/rmap/rmap.h"

struct file;
struct uffd;

/* prot and flag numbers of the ABI */
enum {
	PROT_READ = 1,
	PROT_WRITE = 2,
	PROT_EXEC = 4,
	PROT_MASK = 7,
	PROT_SEM = 8, /* accepted, and means nothing */
	PROT_GROWSDOWN = 0x01000000,
	PROT_GROWSUP = 0x02000000,
};
enum {
	MAP_SHARED = 1,
	MAP_PRIVATE = 2,
	MAP_SHARED_VALIDATE = 3,
	MAP_TYPE = 0xf,
	MAP_FIXED = 0x10,
	MAP_ANONYMOUS = 0x20,
	MAP_GROWSDOWN = 0x100,
	MAP_LOCKED = 0x2000,
	MAP_NORESERVE = 0x4000,
	MAP_POPULATE = 0x8000,
	MAP_NONBLOCK = 0x10000,
	MAP_STACK = 0x20000,
	MAP_FIXED_NOREPLACE = 0x100000,
};
#define MAP_LEGACY_MASK 0x7c07f9f3u /* flags from before MAP_SHARED_VALIDATE, which refuses others */
enum { MREMAP_MAYMOVE = 1, MREMAP_FIXED = 2, MREMAP_DONTUNMAP = 4 };
enum { MS_ASYNC = 1, MS_INVALIDATE = 2, MS_SYNC = 4 };
enum {
	MADV_NORMAL = 0,
	MADV_RANDOM = 1,
	MADV_SEQUENTIAL = 2,
	MADV_WILLNEED = 3,
	MADV_DONTNEED = 4,
	MADV_FREE = 8,
	MADV_REMOVE = 9,
	MADV_DONTFORK = 10,
	MADV_DOFORK = 11,
	MADV_HUGEPAGE = 14,
	MADV_NOHUGEPAGE = 15,
	MADV_DONTDUMP = 16,
	MADV_DODUMP = 17,
	MADV_COLD = 20,
	MADV_PAGEOUT = 21,
	MADV_POPULATE_READ = 22,
	MADV_POPULATE_WRITE = 23,
	MADV_DONTNEED_LOCKED = 24,
	MADV_COLLAPSE = 25,
};

enum vma_flag {
	VM_READ = 0x1,
	VM_WRITE = 0x2,
	VM_EXEC = 0x4,
	VM_SHARED = 0x8,
	VM_MAYREAD = 0x10,
	VM_MAYWRITE = 0x20,
	VM_MAYEXEC = 0x40,
	VM_MAYSHARE = 0x80,
	VM_GROWSDOWN = 0x100,
	VM_UFFD_MISSING = 0x200, /* faults that a program answers (uffd.h) */
	VM_UFFD_MINOR = 0x800,
	VM_UFFD_WP = 0x1000,
	VM_LOCKED = 0x2000,
	VM_SEQ_READ = 0x8000, /* MADV_SEQUENTIAL, MADV_RANDOM */
	VM_RAND_READ = 0x10000,
	VM_DONTCOPY = 0x20000,
	VM_LOCKONFAULT = 0x80000, /* with VM_LOCKED: what is not there yet comes when it is touched */
	VM_NORESERVE = 0x200000,
	VM_NONLINEAR = 0x800000,  /* some entries are not at their linear offset */
	VM_MANYPROTS = 0x1000000, /* the entries' grants, not the vma's, are the permissions */
	VM_HUGEPAGE = 0x20000000, /* MADV_HUGEPAGE, MADV_NOHUGEPAGE */
	VM_NOHUGEPAGE = 0x40000000,
	VM_ACCESS = 0x7,
};

struct vma {
	vaddr_t start, end; /* w: mmap lock for writing */
	unsigned flags;     /* VM_* */
	pgoff_t pgoff;      /* object offset of start; anonymous: start >> PAGE_SHIFT */
	struct rb_node rb;  /* mm->vmas, by start */
	struct mm *mm;
	struct vm_object *object; /* NULL: anonymous */
	struct file *file;        /* holds the object; reference owned (may be NULL for shared anonymous) */
	struct rmap_link link;    /* in the object's tree while object != NULL; link.nonlinear while VM_NONLINEAR */
	struct anon_range anon;   /* families of its anonymous pages */
	const char *name;         /* "[heap]", "[stack]" or NULL */
	struct uffd *uffd;        /* who answers its faults: a reference; NULL without VM_UFFD_* */
};

struct mm {
	struct pgtable pt;
	struct rwsem lock; /* the mmap lock */
	struct rb_root vmas;
	struct vma *recent;      /* found last: a hint; cleared with mm->lock held for writing */
	struct mutex anon_first; /* rank LOCK_ANON_FIRST: vma_anon_prepare() */
	unsigned nr_vmas;
	int users; /* threads and borrowers; atomic */
	vaddr_t brk_start, brk;
	vaddr_t stack_top;
	vaddr_t arg_start, arg_end, env_start, env_end;
	unsigned long total_pages;  /* mapped by vmas */
	unsigned long locked_pages; /* ... that are VM_LOCKED. Both: w: mmap lock for writing */
	unsigned long lock_limit;   /* pages that may be locked (RLIMIT_MEMLOCK; ~0: any); as of its last call that asked */
	unsigned future_locks;      /* mlockall(MCL_FUTURE): VM_LOCKED, VM_LOCKONFAULT of every new mapping */
	struct file *exe;           /* /proc/self/exe */
	bool huge_zero;             /* holds a reference on the huge zero page (mm/space/huge.c) */
	unsigned long minor_faults, major_faults; /* atomic */
	struct list all_link;                     /* mm_list */
	struct list uffds;                        /* contexts for this address space; attach_lock (uffd.c) */
	struct list uffd_events;                  /* to be told when the lock is given back; mm->lock for writing */
	unsigned long serial;                     /* grows along mm_list */
};

/* Every address space, oldest first (so a parent comes before its child): for swapoff and the auditor. */
extern struct list mm_list;
extern struct mutex mm_list_lock;

#define VM_MAX_MAP_COUNT 65530
/* /proc/sys/vm: vmas that an address space may have; nonzero: private memory is never refused for its size alone. */
extern unsigned long vm_max_map_count, vm_overcommit;

/* What the VFS provides to mm, set once at boot: a vma holds its file without mm knowing files. */
struct mm_file_ops {
	void (*get)(struct file *file);
	void (*put)(struct file *file);
	/* fdatasync(2) of pages [first, last]: also tells, once per open file, of a write that failed earlier. */
	int (*fsync)(struct file *file, pgoff_t first, pgoff_t last);
	struct readahead *(*readahead)(struct file *file);            /* its memory of what was read; the file's */
	int (*punch)(struct file *file, pgoff_t first, pgoff_t last); /* a hole, whose pages nobody has any more */
};
extern const struct mm_file_ops *mm_file_ops;

void mm_init_subsystem(void); /* slabs, the zero page */
struct mm *mm_create(void);   /* empty; ERR_PTR(-ENOMEM) */
void mm_get(struct mm *mm);
bool mm_try_get(struct mm *mm); /* false: it is being destroyed. => on mm_list, mm_list_lock */
void mm_put(struct mm *mm);     /* the last user unmaps everything. => may sleep */
/* A copy for fork. ERR_PTR(-ENOMEM, -EINTR). */
struct mm *mm_fork(struct mm *parent);

/* A request to map; all sizes page-aligned by the caller except @length. */
struct mmap_request {
	vaddr_t addr;
	size_t length;
	unsigned prot;  /* PROT_* */
	unsigned flags; /* MAP_* */
	pgoff_t pgoff;
	struct vm_object *object; /* NULL: anonymous (private, or shared: a new object is made) */
	struct file *file;        /* referenced by the vma; not consumed */
	unsigned may;             /* VM_MAY* that the file allows (open mode, seals, noexec); VM_SHARED: it was opened
	                           * for writing, else a shared mapping is only read and counts as private (Linux) */
	int refused; /* not 0: why the file cannot be mapped so; told after what is wrong with the range (Linux) */
};
/* The address, or a negative errno cast (IS_ERR_VALUE). Populates if MAP_POPULATE. */
long mm_mmap(struct mm *mm, const struct mmap_request *req);
int mm_munmap(struct mm *mm, vaddr_t addr, size_t length);
int mm_mprotect(struct mm *mm, vaddr_t addr, size_t length, unsigned prot); /* PROT_*, PROT_DEFAULT */
extern bool mprotect_strict;                                                /* see protect.c */
long mm_brk(struct mm *mm, vaddr_t brk);
int mm_madvise(struct mm *mm, vaddr_t addr, size_t length, int advice);
/* When do faults on private anonymous memory make huge pages?  Boot option thp=. */
enum thp_mode { THP_MADVISE, THP_ALWAYS, THP_NEVER };
extern enum thp_mode thp_mode;
bool vma_wants_huge(const struct vma *vma);                 /* would one of its faults make one? => mm->lock held */
int mm_collapse(struct mm *mm, vaddr_t start, vaddr_t end); /* MADV_COLLAPSE (collapse.c) */
int mm_mincore(struct mm *mm, vaddr_t addr, size_t length, unsigned char *user_vec);
int mm_msync(struct mm *mm, vaddr_t addr, size_t length, int flags);
long mm_mremap(struct mm *mm, vaddr_t old, size_t old_len, size_t new_len, unsigned flags, vaddr_t new_addr);
/* -EPERM: mm->lock_limit is 0; -ENOMEM: it would be exceeded, or part of the range is not mapped. */
enum { MM_LOCK_NOT, MM_LOCK_NOW, MM_LOCK_AS_TOUCHED };
int mm_mlock(struct mm *mm, vaddr_t addr, size_t length, unsigned how);
enum { MM_LOCK_CURRENT = 1, MM_LOCK_FUTURE = 2, MM_LOCK_ONFAULT = 4 };
int mm_mlockall(struct mm *mm, unsigned flags); /* 0: munlockall(2) */
int mm_remap_file_pages(struct mm *mm, vaddr_t start, size_t size, unsigned long prot, pgoff_t pgoff, unsigned flags);

/* The same for many ranges, all or nothing. => @flags: MAP_NONBLOCK or 0 */
int mm_remap_vector(struct mm *mm, const struct remap_entry *entries, unsigned nr, unsigned flags);

/* Resolve one access. => interrupts on, mmap lock not held, may sleep */
enum fault_result {
	FAULT_OK,     /* the access may be tried again */
	FAULT_MAPERR, /* no mapping: SIGSEGV / SEGV_MAPERR */
	FAULT_ACCERR, /* forbidden: SIGSEGV / SEGV_ACCERR */
	FAULT_SIGBUS, /* beyond end of file, or the device failed: SIGBUS / BUS_ADRERR */
	FAULT_OOM,
	FAULT_RETRY,  /* inside mm: a page must be read first, without mm->lock (fault_wait()) */
	FAULT_KILLED, /* a fatal signal arrived while waiting */
	FAULT_SIGNAL, /* a program was asked, and a signal came first: deliver it, then the access is tried again */
	FAULT_POISON, /* the page is lost: SIGBUS / BUS_MCEERR_AR */
};
enum fault_result mm_fault(struct mm *mm, vaddr_t addr, enum fault_access access);
/* The same for an access that ring 3 made itself: what asks a program may be interrupted by any signal. */
enum fault_result mm_fault_user(struct mm *mm, vaddr_t addr, enum fault_access access);
/* How many there were since boot, and how many of these waited for a device. */
void mm_fault_counts(unsigned long *all, unsigned long *major);

/* The vma that holds @addr, or the next one above it, or NULL. => mmap lock held */
struct vma *vma_find_in_tree(struct mm *mm, vaddr_t addr);
static inline struct vma *vma_find(struct mm *mm, vaddr_t addr)
{
	struct vma *vma = READ_ONCE(mm->recent);

	return likely(vma && vma->start <= addr && addr < vma->end) ? vma : vma_find_in_tree(mm, addr);
}
struct vma *vma_next(struct vma *vma);
struct vma *vma_first(struct mm *mm);

/*
 * Read or write another (or one's own) address space through its entries' pages; returns bytes moved or -EFAULT if none.
 * For exec's arguments, /proc/<pid>/cmdline and mem, process_vm_readv/writev.
 * MM_ACCESS_FORCE: as a debugger does it, also where the program itself may not: but only in private mappings, and to
 * write only where they may ever be written (VM_MAYWRITE); what is written is the mapping's own copy, and the permissions
 * stay.  A shared mapping's permissions hold for everybody (R0.10).
 */
enum mm_access_how { MM_ACCESS_READ = 0, MM_ACCESS_WRITE = 1, MM_ACCESS_FORCE = 2 };
ssize_t mm_access(struct mm *mm, vaddr_t addr, void *buf, size_t n, unsigned how);

#endif
