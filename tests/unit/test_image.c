/*
 * test_image.c - block layer, page cache and ext2 on the simulated machine, over an image that mke2fs has made.
 * tests/unit/run_image.py makes it, and lets e2fsck and debugfs judge it afterwards.
 *
 * with: files
 */
#include <stdio.h>

#include "arch/host/disk/disk.h"
#include "kernel/lib/err.h"
#include "kernel/uapi/fcntl.h"

#define CHECK(c)                                           \
	do {                                                   \
		if (!(c))                                          \
			sim_fail("%s:%d: %s", __FILE__, __LINE__, #c); \
	} while (0)

#define THREADS 4
#define PAGES 64
#define BYTES (PAGES * PAGE_SIZE)
#define STRIPE (PAGES / THREADS)

static const char *image;

struct writer {
	vaddr_t base;
	unsigned nr;
};

/* The word that belongs at the start of every page: run_image.py knows the formula. */
static u64 word_of(unsigned page)
{
	return 0x1000000ull * page + 0xbeef;
}

/* Each thread its pages, by stores; somebody syncs in between. */
static void write_stripe(void *arg)
{
	struct writer *w = arg;

	for (unsigned i = 0; i < STRIPE; i++) {
		unsigned page = i * THREADS + w->nr;
		u64 word = word_of(page);

		CHECK(sim_store(w->base + page * PAGE_SIZE, &word, sizeof(word)) == FAULT_OK);
		if (sim_below(8) == 0)
			CHECK(mm_msync(sim_mm(), w->base, BYTES, MS_SYNC) == 0);
	}
}

static void write_by_mapping(const char *path)
{
	struct file *f = vfs_open(NULL, path, O_RDWR | O_CREAT, 0644);
	struct mm *mm = mm_create();
	struct writer writers[THREADS];
	struct sim_thread *threads[THREADS];
	long base;

	CHECK(!IS_ERR(f) && !IS_ERR(mm) && file_truncate(f, BYTES) == 0);
	base = disk_mmap(mm, f, BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, 0);
	CHECK(!IS_ERR_VALUE(base));
	for (unsigned i = 0; i < THREADS; i++) {
		writers[i] = (struct writer){(vaddr_t)base, i};
		threads[i] = sim_spawn(mm, (int)i, write_stripe, &writers[i]);
	}
	for (unsigned i = 0; i < THREADS; i++)
		sim_join(threads[i]);
	CHECK(file_fsync(f, false) == 0);
	mm_put(mm);
	file_put(f);
}

/* Names, a hole, a file that goes again. */
static void make_names(void)
{
	struct file *f;

	CHECK(vfs_mkdir(NULL, "/mnt/dir", 0755) == 0);
	f = vfs_open(NULL, "/mnt/dir/hole", O_RDWR | O_CREAT, 0600);
	CHECK(!IS_ERR(f) && file_truncate(f, 5 << 20) == 0);
	file_put(f);
	f = vfs_open(NULL, "/mnt/gone", O_RDWR | O_CREAT, 0600);
	CHECK(!IS_ERR(f) && file_truncate(f, 3 * PAGE_SIZE) == 0);
	CHECK(vfs_unlink(NULL, "/mnt/gone") == 0);
	file_put(f);
	CHECK(vfs_rename(NULL, "/mnt/dir/hole", NULL, "/mnt/hole") == 0);
}

/* What was there before us, as the page cache and a private mapping see it. */
static void read_back(void)
{
	struct file *f = vfs_open(NULL, "/mnt/hello", O_RDONLY, 0);
	struct mm *mm = mm_create();
	char text[6] = "";
	long base;

	CHECK(!IS_ERR(f) && !IS_ERR(mm));
	base = disk_mmap(mm, f, PAGE_SIZE, PROT_READ, MAP_PRIVATE, 0);
	sim_use(mm);
	CHECK(!IS_ERR_VALUE(base) && sim_load((vaddr_t)base, text, 5) == FAULT_OK);
	CHECK(text[0] == 'h' && text[4] == 'o');
	sim_use(NULL);
	mm_put(mm);
	file_put(f);
}

static void body(void *arg)
{
	disk_start();
	CHECK(disk_attach("vda", image) != NULL);
	CHECK(vfs_mount("/dev/vda", "/mnt", "ext2", 0) == 0 || vfs_mount("vda", "/mnt", "ext2", 0) == 0);
	read_back();
	write_by_mapping("/mnt/pages");
	make_names();
	CHECK(sim_tlb_stale(true) == 0);
	sim_audit(false);
	disk_stop();
}

int main(int argc, char **argv)
{
	const struct sim_config config = {.no_audit = true, .ram_pages = 8192};

	sim_main(argc, argv);
	image = argc > 1 ? argv[1] : "";
	return sim_run(&config, body, NULL) != 0;
}
