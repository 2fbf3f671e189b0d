/*
 * os.h - what the simulated machine asks of the process it lives in.  Plain C types; the files beside it are the only
 * ones that see the C library.
 */
#ifndef ARCH_HOST_OS_OS_H
#define ARCH_HOST_OS_OS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* -- memory.c: all of it dies when there is none -------------------------------------------------------------------- */
void *os_memory_reserve(uint64_t size);          /* addresses only, page aligned; touching them is a crash */
void os_memory_open(void *start, uint64_t size); /* they become zeroed memory, taken when touched */
void *os_shared(size_t size);                    /* zeroed, shared with the children */
void *os_alloc(size_t size);                     /* zeroed */
void os_free(void *p);

/* -- context.c: stacks of one thread of the process; a switch costs some ten nanoseconds --------------------------- */
struct os_context;
struct os_context *os_context_self(void); /* of the caller's own stack. => once in a thread of the process */
struct os_context *os_context_create(void (*fn)(void *arg), void *arg); /* @fn never returns */
void os_context_switch(struct os_context *from, struct os_context *to);
void os_context_leave(struct os_context *from, struct os_context *to); /* for good: @from may be freed then */
void os_context_free(struct os_context *c);

/* -- thread.c: real ones ---------------------------------------------------------------------------------------------- */
struct os_thread;
struct os_mutex;
struct os_cond;
struct os_thread *os_thread_start(void (*fn)(void *arg), void *arg);
void os_thread_join(struct os_thread *t); /* and free */
struct os_mutex *os_mutex_create(void);
struct os_cond *os_cond_create(void);
void os_mutex_free(struct os_mutex *m);
void os_cond_free(struct os_cond *c);
void os_lock(struct os_mutex *m);
void os_unlock(struct os_mutex *m);
void os_wait(struct os_cond *c, struct os_mutex *m);
bool os_wait_until(struct os_cond *c, struct os_mutex *m, uint64_t deadline_ns); /* false: too late */
void os_wake(struct os_cond *c);                                                 /* all */
void os_thread_yield(void);
void os_thread_hang(void); /* for ever */

/* -- process.c ----------------------------------------------------------------------------------------------------------- */
uint64_t os_clock_ns(void);
void os_write(const char *text, size_t n); /* standard output */
_Noreturn void os_exit(int status);        /* at once */
const char *os_environment(const char *name);
void os_backtrace(void);
/* @fn is called when a sanitizer is about to end the process, which then exits with @status. */
void os_on_sanitizer(void (*fn)(void), int status);
/* Run @fn in a child. Its exit status, -signal, or OS_TIMED_OUT. 0 in @limit_ms: no limit. @mute: no output. */
int os_fork_run(int (*fn)(void *arg), void *arg, unsigned limit_ms, bool mute);
#define OS_TIMED_OUT 1000
bool os_has_asan(void);
void os_poison(const void *p, size_t n, bool poisoned); /* the address sanitizer's; nothing without it */
/* The first poisoned byte of [p, p + n), or NULL. */
const void *os_poisoned(const void *p, size_t n);
/* Let the sanitizer look at the bytes: it reports, if there is something to report. */
void os_touch_checked(const void *p, size_t n, bool write);

/* -- image.c: files of the real machine ------------------------------------------------------------------------------------ */
struct os_image;
struct os_image *os_image_open(const char *path, bool write); /* NULL: it cannot be opened */
uint64_t os_image_size(struct os_image *i);
bool os_image_read(struct os_image *i, uint64_t offset, void *to, size_t n);
bool os_image_write(struct os_image *i, uint64_t offset, const void *from, size_t n);
bool os_image_sync(struct os_image *i);
void os_image_close(struct os_image *i);

#endif
