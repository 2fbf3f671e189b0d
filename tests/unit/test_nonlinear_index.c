/*
 * test_nonlinear_index.c - mm/rmap/nonlinear_index.c: page offset to addresses, against a plain array.
 *
 * machine: amd64
 */
#include "tests/unit/sim_space.h"

#include "mm/phys/phys.h"
#include "mm/rmap/rmap.h"

#define MANY 9000
#define VA(i) (((vaddr_t)(i) + 1) << PAGE_SHIFT)

static struct object_maps maps;
static struct pgtable tree, other_tree; /* only their addresses count */
static struct nonlinear_index *idx;

/* The plain array: address i shows offset[i]. */
static pgoff_t offset[MANY];
static bool present[MANY];
static unsigned long nr_present;

static void begin(void)
{
	object_maps_init(&maps);
	idx = nonlinear_index_get(&maps, &tree);
	CHECK(!IS_ERR(idx));
}

static void add_from_stock(unsigned i, pgoff_t pgoff)
{
	rwsem_write_lock(&maps.lock);
	nonlinear_index_add(idx, pgoff, VA(i));
	rwsem_write_unlock(&maps.lock);
	offset[i] = pgoff;
	present[i] = true;
	nr_present++;
}

static void add(unsigned i, pgoff_t pgoff)
{
	CHECK(nonlinear_index_stock(idx, 1) == 0);
	add_from_stock(i, pgoff);
}

static void del(unsigned i)
{
	struct nonlinear_node *node;

	rwsem_write_lock(&maps.lock);
	node = nonlinear_index_del(idx, offset[i], VA(i));
	rwsem_write_unlock(&maps.lock);
	CHECK(node->pgoff == offset[i] && node->va == VA(i));
	nonlinear_node_free(node);
	present[i] = false;
	nr_present--;
}

static void end(void)
{
	for (unsigned i = 0; i < MANY; i++)
		if (present[i])
			del(i);
	nonlinear_index_put(idx);
	CHECK(list_empty(&maps.nonlinear));
}

/* Each node with an offset in the range once. */
static void check_scan(pgoff_t first, pgoff_t last)
{
	static unsigned char seen[MANY];
	struct nonlinear_cursor c;
	struct nonlinear_node *n;

	memset(seen, 0, sizeof(seen));
	nonlinear_index_begin(&c, idx, first, last);
	while ((n = nonlinear_index_next(&c))) {
		unsigned i = (unsigned)(n->va >> PAGE_SHIFT) - 1;

		if (i >= MANY || !present[i] || offset[i] != n->pgoff || seen[i]++)
			return sim_fail("scan %lx-%lx gives %lx at %lx", first, last, n->pgoff, n->va);
	}
	for (unsigned i = 0; i < MANY; i++)
		if (seen[i] != (present[i] && offset[i] >= first && offset[i] <= last))
			return sim_fail("scan %lx-%lx forgets %lx", first, last, VA(i));
}

/* All addresses of one offset, and no other. */
static void check_find(pgoff_t pgoff)
{
	unsigned i = (unsigned)sim_below(MANY);

	check_scan(pgoff, pgoff);
	CHECK(nonlinear_index_has(idx, pgoff, VA(i)) == (present[i] && offset[i] == pgoff));
	CHECK(!present[i] || nonlinear_index_has(idx, offset[i], VA(i)));
}

static void check_all(unsigned times)
{
	CHECK(idx->count == nr_present);
	check_scan(0, ~0UL);
	for (unsigned i = 0; i < times; i++) {
		pgoff_t first = sim_below(MANY);

		check_find(first);
		check_find(offset[sim_below(MANY)]);
		check_scan(first, first + sim_below(50));
	}
}

static void against_an_array(void *arg)
{
	begin();
	for (unsigned round = 0; round < 3000; round++) {
		unsigned i = (unsigned)sim_below(300);

		if (present[i])
			del(i);
		else
			add(i, sim_below(100));
		if (round % 100 == 0)
			check_all(3);
	}
	end();
}

/* Bucket by bucket, page by page, and the directory of pages too; a node a bucket. */
static void grows_with_its_content(void *arg)
{
	begin();
	CHECK(idx->nr_buckets == 1 && idx->nr_pages == 1);
	for (unsigned i = 0; i < MANY; i++) {
		add(i, i * 31);
		CHECK(idx->nr_buckets == idx->count && idx->mask >= idx->nr_buckets - 1);
	}
	CHECK(idx->nr_pages == (idx->nr_buckets + 511) / 512 && idx->nr_pages > 16 && idx->max_pages == 32);
	check_all(5);
	end();
}

/* Offsets that differ in high bits only, or by a power of two, still spread: no chain is much longer than the load. */
static void offsets_spread(void *arg)
{
	unsigned longest = 0;

	begin();
	for (unsigned i = 0; i < 2000; i++)
		add(i, i % 2 ? (pgoff_t)i << 34 : (pgoff_t)i << 10);
	for (unsigned long b = 0; b < idx->nr_buckets; b++) {
		unsigned n = 0;

		for (struct nonlinear_node *node = idx->pages[b / 512][b % 512]; node; node = node->link[0])
			n++;
		longest = max(longest, n);
	}
	CHECK(longest <= 32);
	check_all(3);
	end();
}

/* A window that shows one page everywhere: its crowd is a tree, about as deep as it must be. */
static unsigned depth_of(const struct nonlinear_node *n)
{
	return n ? 1 + max(depth_of(n->link[0]), depth_of(n->link[1])) : 0;
}

static void one_offset_everywhere(void *arg)
{
	struct nonlinear_node *head;

	begin();
	for (unsigned i = 0; i < 500; i++)
		add(i, 7);
	for (unsigned b = 0; b < idx->nr_buckets; b++)
		if ((head = idx->pages[b / 512][b % 512]))
			CHECK(!head->link[0] && depth_of(head->link[1]) <= 11);
	check_find(7);
	check_find(6);
	check_scan(8, ~0UL);
	check_scan(7, 7);
	for (unsigned i = 0; i < 500; i += 2)
		del(i);
	check_find(7);
	end();
}

/* Addresses that differ in their highest bits only: as deep as an address has bits, and no deeper. */
static void deepest_crowd(void *arg)
{
	struct nonlinear_cursor c;
	struct nonlinear_node *n;
	unsigned found = 0, bits = 8 * sizeof(vaddr_t) - PAGE_SHIFT;

	begin();
	CHECK(nonlinear_index_stock(idx, bits + 1) == 0);
	for (unsigned i = 0; i <= bits; i++) {
		rwsem_write_lock(&maps.lock);
		nonlinear_index_add(idx, 5, i ? (vaddr_t)1 << (8 * sizeof(vaddr_t) - i) : 0);
		rwsem_write_unlock(&maps.lock);
	}
	nonlinear_index_begin(&c, idx, 5, 5);
	while ((n = nonlinear_index_next(&c)))
		found++;
	CHECK(found == bits + 1);
	for (unsigned i = 0; i <= bits; i++) {
		rwsem_write_lock(&maps.lock);
		nonlinear_node_free(nonlinear_index_del(idx, 5, i ? (vaddr_t)1 << (8 * sizeof(vaddr_t) - i) : 0));
		rwsem_write_unlock(&maps.lock);
	}
	end();
}

/* From one offset to another, out of crowds and into them. */
static void moves(void *arg)
{
	begin();
	for (unsigned i = 0; i < 200; i++)
		add(i, sim_below(20));
	for (unsigned round = 0; round < 2000; round++) {
		unsigned i = (unsigned)sim_below(200);
		pgoff_t to = sim_below(20);

		if (to == offset[i])
			continue;
		rwsem_write_lock(&maps.lock);
		nonlinear_index_move(idx, VA(i), offset[i], to);
		rwsem_write_unlock(&maps.lock);
		offset[i] = to;
		if (round % 100 == 0)
			check_all(3);
	}
	end();
}

/* Without memory for more buckets everything goes on, in longer chains. */
static void cannot_grow(void *arg)
{
	begin();
	CHECK(nonlinear_index_stock(idx, 1000) == 0);
	for (unsigned i = 0; i < 700; i++) {
		sim_failpoint("page_alloc", 1); /* the page of buckets */
		add(i, i);
		sim_failpoint_end("page_alloc");
	}
	CHECK(idx->nr_pages == 1 && idx->nr_buckets == 512);
	check_all(3);
	add(700, 700); /* there is memory again */
	CHECK(idx->nr_pages == 2);
	end();
}

/* Who knows how many will come makes room for them at once, as far as there is memory. */
static void reserved(void *arg)
{
	begin();
	nonlinear_index_reserve(idx, 5000);
	CHECK(idx->nr_pages == 10);
	nonlinear_index_reserve(idx, 5000);
	CHECK(idx->nr_pages == 10);
	sim_failpoint("page_alloc", 2);
	nonlinear_index_reserve(idx, 10000);
	sim_failpoint_end("page_alloc");
	CHECK(idx->nr_pages == 11);
	for (unsigned i = 0; i < 5000; i++)
		add(i, i);
	CHECK(idx->nr_pages == 11 && idx->nr_buckets >= 5000);
	check_all(3);
	end();
}

/* Without memory for a bigger directory: it has room for eight pages. */
static void cannot_grow_directory(void *arg)
{
	begin();
	CHECK(nonlinear_index_stock(idx, 8300) == 0);
	for (unsigned i = 0; i < 8300; i++) {
		sim_failpoint("slab_alloc", 1);
		CHECK(nonlinear_index_stock(idx, 0) == 0); /* it grows if it can */
		sim_failpoint_end("slab_alloc");
		add_from_stock(i, i);
	}
	CHECK(idx->nr_pages == 8 && idx->max_pages == 8 && idx->nr_buckets == 4096);
	check_all(3);
	add(8300, 8300);
	CHECK(idx->nr_pages == 9 && idx->max_pages == 16);
	end();
}

/* -- one for each pair of page table and object ------------------------------------------------------------------------- */
static void shared_by_vmas(void *arg)
{
	struct nonlinear_index *again, *other;

	begin();
	again = nonlinear_index_get(&maps, &tree);
	other = nonlinear_index_get(&maps, &other_tree);
	CHECK(again == idx && idx->users == 2 && other != idx && other->pt == &other_tree && other->maps == &maps);
	nonlinear_index_ref(idx);
	CHECK(idx->users == 3);
	add(1, 2);
	nonlinear_index_put(idx);
	nonlinear_index_put(idx);
	nonlinear_index_put(other);
	CHECK(list_is_single(&maps.nonlinear));
	check_all(1);
	end();
}

static void get_fails(void *arg)
{
	u64 n = 1;

	object_maps_init(&maps);
	for (;; n++) {
		sim_failpoint("slab_alloc", n);
		idx = nonlinear_index_get(&maps, &tree);
		if (sim_failpoint_end("slab_alloc") < n)
			break;
		CHECK(IS_ERR(idx) && PTR_ERR(idx) == -ENOMEM && list_empty(&maps.nonlinear));
	}
	CHECK(n == 3 && !IS_ERR(idx)); /* itself, the directory; the page of buckets is no slab's */
	nonlinear_index_put(idx);
	sim_failpoint("page_alloc", 1);
	idx = nonlinear_index_get(&maps, &tree);
	CHECK(sim_failpoint_end("page_alloc") == 1 && IS_ERR(idx));
}

static void get_thread(void *arg)
{
	struct nonlinear_index *mine = nonlinear_index_get(&maps, &tree);

	CHECK(!IS_ERR(mine) && list_is_single(&maps.nonlinear));
	nonlinear_index_put(mine);
}

static void created_by_two(void *arg)
{
	struct sim_thread *threads[4];

	object_maps_init(&maps);
	for (unsigned i = 0; i < 4; i++)
		threads[i] = sim_spawn(NULL, (int)i, get_thread, NULL);
	for (unsigned i = 0; i < 4; i++)
		sim_join(threads[i]);
	CHECK(list_empty(&maps.nonlinear));
}

/* -- misuse ---------------------------------------------------------------------------------------------------------------- */
static void added_twice(void *arg)
{
	begin();
	add(1, 5);
	add(1, 5);
}

static void del_of_none(void *arg)
{
	begin();
	add(1, 5);
	offset[1] = 6;
	del(1);
}

static void put_with_nodes(void *arg)
{
	begin();
	add(1, 5);
	nonlinear_index_put(idx);
}

int main(int argc, char **argv)
{
	sim_main(argc, argv);
	CASE(against_an_array);
	CASE_CALM(grows_with_its_content);
	CASE_CALM(offsets_spread);
	CASE_CALM(one_offset_everywhere);
	CASE_CALM(deepest_crowd);
	CASE(moves);
	CASE_CALM(cannot_grow);
	CASE_CALM(reserved);
	CASE_CALM(cannot_grow_directory);
	CASE_CALM(shared_by_vmas);
	CASE_CALM(get_fails);
	CASE_WITH(&(struct sim_config){.switch_one_in = 2}, created_by_two);
	CASE_PANICS(added_twice);
	CASE_PANICS(del_of_none);
	CASE_PANICS(put_with_nodes);
	return sim_end();
}
