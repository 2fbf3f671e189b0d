/*
 * test_audit.c - the auditor (mm/debug/check.c, audit_*.c): a sound world passes, and each lie that is told about it is
 * seen for what it is.
 *
 * A lie is a function: told with @on true, taken back with false.  Beside it, what the auditor must say.
 *
 * machine: amd64
 */
#include "tests/unit/sim_swap.h"

#include "kernel/lib/list.h"
#include "mm/debug/debug.h"
#include "mm/object/background.h"
#include "mm/object/swap_area.h"
#include "mm/phys/lru.h"
#include "mm/phys/phys.h"
#include "mm/phys/slab.h"
#include "mm/space/vma.h"

#define PAGES 6

static struct mm *mm, *other;
static struct sim_file *file, *unmapped;
static vaddr_t anon, beside, shared, again, private, window;
static struct slab_cache cache;
static void *object;
static struct page *mine;
static struct sim_swap *swap;
static vaddr_t swapped;

static struct vm_object *obj(void)
{
	return sim_file_object(file);
}

static struct vma *vma_at(vaddr_t va)
{
	return vma_find(mm, va);
}

/*
 *	anon     pages 0 .. 3 written     beside   directly behind it, read-only, and a hole
 *	shared   file pages 0 .. 5: 0 and 1 written, 2 read     again    file page 2 a second time
 *	private  file page 3 read
 *	swapped  pages 0 and 1 in slots, 0 in the swap cache, too
 *	window   nonlinear with grants: page 0 shows file page 4, page 1 has a file entry for page 5, page 2 is in place
 */
static void make_world(void)
{
	mm = enter_space();
	other = mm_create();
	file = sim_file_create(SIM_FILE_DISK, PAGES * PAGE_SIZE, true);
	unmapped = sim_file_create(SIM_FILE_DISK, PAGES * PAGE_SIZE, true);
	anon = map_pages(PAGES, MAP_PRIVATE, NULL, 0);
	CHECK(mm_mprotect(mm, anon + 4 * PAGE_SIZE, 2 * PAGE_SIZE, PROT_READ) == 0);
	beside = anon + 4 * PAGE_SIZE;
	shared = map_pages(PAGES, MAP_SHARED, file, 0);
	again = map_pages(1, MAP_SHARED, file, 2);
	private = map_pages(1, MAP_PRIVATE, file, 3);
	window = map_pages(3, MAP_SHARED, file, 0);
	for (unsigned i = 0; i < 4; i++)
		store_word(anon + i * PAGE_SIZE, i);
	store_word(shared, 1);
	store_word(shared + PAGE_SIZE, 2);
	load_word(shared + 2 * PAGE_SIZE);
	load_word(again);
	load_word(private);
	CHECK(mm_remap_file_pages(mm, window, PAGE_SIZE, PROT_READ, 4, MAP_CHGPROT) == 0);
	CHECK(mm_remap_file_pages(mm, window + PAGE_SIZE, PAGE_SIZE, PROT_READ, 5, MAP_CHGPROT) == 0);
	load_word(window);
	load_word(window + 2 * PAGE_SIZE);
	CHECK(mm_madvise(mm, window + PAGE_SIZE, PAGE_SIZE, MADV_DONTNEED) == 0);
	CHECK(sim_entry(mm, window + PAGE_SIZE).kind == PTE_KIND_FILE);
	CHECK(sim_file_write(unmapped, 0, "x", 1) == 1);
	CHECK(mm_munmap(mm, beside + PAGE_SIZE, PAGE_SIZE) == 0); /* the hole */
	swap = sim_swap_on(16, 0);
	swapped = map_pages(2, MAP_PRIVATE, NULL, 0);
	store_word(swapped, 1);
	store_word(swapped + PAGE_SIZE, 2);
	page_out(swapped, 2);
	page_put(swap_read(slot_at(swapped)));
	slab_cache_init(&cache, "audited", 100);
	object = slab_alloc(&cache, GFP_KERNEL);
	mine = page_alloc(0, GFP_KERNEL);
}

static void end_world(void)
{
	slab_free(&cache, object);
	page_put(mine);
	CHECK(!sim_swap_off(swap));
	mm_put(other);
	CHECK(sim_file_sync(file) == 0 && sim_file_sync(unmapped) == 0);
	sim_file_put(file);
	sim_file_put(unmapped);
}

/* -- lies about entries ------------------------------------------------------------------------------------------------ */
static void change_entry(bool on, vaddr_t va, pte_t new)
{
	static pte_t old;
	struct pt_slot slot = pt_lock(&mm->pt, va);

	if (on)
		old = hw_pte_get(slot.hw);
	hw_pte_get_and_clear(slot.hw);
	hw_pte_set(slot.hw, on ? new : old);
	pt_unlock(slot);
}

static pte_t entry_at(vaddr_t va)
{
	return hw_pte_get_lockless(pt_find(&mm->pt, va).hw);
}

#define ENTRY_LIE(name, va, new)   \
	static void name(bool on)      \
	{                              \
		change_entry(on, va, new); \
	}
ENTRY_LIE(other_grant, anon, pte_with_grant(entry_at(anon), GRANT_R))
ENTRY_LIE(wrong_page, shared + PAGE_SIZE, pte_wrprotect(pte_mkclean(entry_at(shared + 2 * PAGE_SIZE))))
ENTRY_LIE(wrong_page_in_window, window + 2 * PAGE_SIZE, entry_at(window))
ENTRY_LIE(private_writable, private, pte_mkwrite(entry_at(private)))
ENTRY_LIE(no_frame, anon, pte_mk_page(max_pfn + 5, GRANT_R | GRANT_W))
ENTRY_LIE(special_of_a_page, anon, pte_mk_special(page_to_pfn(mine), GRANT_R | GRANT_W))
ENTRY_LIE(reserved_frame, anon, pte_mk_page(0, GRANT_R | GRANT_W))
ENTRY_LIE(file_entry_in_linear, anon, pte_mk_file(3, GRANT_R | GRANT_W))
ENTRY_LIE(page_in_a_hole, beside + PAGE_SIZE, pte_mk_page(page_to_pfn(mine), GRANT_R))
ENTRY_LIE(file_entry_moved, window + PAGE_SIZE, pte_mk_file(3, GRANT_R))

/* -- lies about anything that is a number -------------------------------------------------------------------------------- */
#define NUMBER_LIE(name, number, by) \
	static void name(bool on)        \
	{                                \
		if (on)                      \
			(number) += (by);        \
		else                         \
			(number) -= (by);        \
	}
#define FLAG_LIE(name, word, bits) \
	static void name(bool on)      \
	{                              \
		(void)on;                  \
		(word) ^= (bits);          \
	}
NUMBER_LIE(resident, mm->pt.nr_pages, 1)
NUMBER_LIE(tables, mm->pt.nr_tables, 1)
NUMBER_LIE(vmas, mm->nr_vmas, 1)
NUMBER_LIE(total, mm->total_pages, 1)
NUMBER_LIE(overlap, vma_at(anon)->end, PAGE_SIZE)
NUMBER_LIE(link_va, vma_at(shared)->link.va, PAGE_SIZE)
NUMBER_LIE(index_count, vma_at(window)->link.nonlinear->count, 1)
NUMBER_LIE(index_users, vma_at(window)->link.nonlinear->users, 1)
NUMBER_LIE(file_size, obj()->size, -5 * (loff_t)PAGE_SIZE)
NUMBER_LIE(page_index, frame_at(shared)->index, 1)
NUMBER_LIE(object_pages, obj()->nr_pages, 1)
NUMBER_LIE(unmapped_pages, sim_file_object(unmapped)->nr_pages, 1)
NUMBER_LIE(object_writeback_count, obj()->nr_writeback, 1)
NUMBER_LIE(object_links, obj()->maps.nr_links, 1)
NUMBER_LIE(mapcount, frame_at(anon)->mapcount, 1)
NUMBER_LIE(pins, frame_at(anon)->pins_r, -1)
NUMBER_LIE(too_few_refs, frame_at(shared)->refs, -1)
NUMBER_LIE(leak, frame_at(anon)->refs, 1)
NUMBER_LIE(mapped_kernel_page, mine->mapcount, 1)
NUMBER_LIE(zone_free, zones[ZONE_LOW].nr_free, 1)
NUMBER_LIE(slab_in_use, virt_to_page(object)->mapcount, 1000)
NUMBER_LIE(cache_objects, cache.objects, 1)
NUMBER_LIE(all_slabs, slab_pages, 1)
NUMBER_LIE(all_tables, phys_table_pages, 1)

FLAG_LIE(may_not, vma_at(anon)->flags, VM_MAYWRITE)
FLAG_LIE(window_may_not, vma_at(window)->flags, VM_MAYREAD | VM_READ | VM_MAYWRITE | VM_WRITE)
FLAG_LIE(anon_nonlinear, vma_at(anon)->flags, VM_NONLINEAR)
FLAG_LIE(linear_manyprots, vma_at(shared)->flags, VM_MANYPROTS)
FLAG_LIE(no_index, vma_at(shared)->flags, VM_NONLINEAR)
FLAG_LIE(anon_shared, vma_at(anon)->flags, VM_SHARED)
FLAG_LIE(not_exclusive, frame_at(anon)->flags, BIT(PG_ANON_EXCLUSIVE))
FLAG_LIE(not_uptodate, frame_at(shared)->flags, BIT(PG_UPTODATE))
FLAG_LIE(not_dirty, frame_at(shared)->flags, BIT(PG_DIRTY))
FLAG_LIE(dirty_without_mark, frame_at(window)->flags, BIT(PG_DIRTY))
FLAG_LIE(writeback_without_mark, frame_at(shared)->flags, BIT(PG_WRITEBACK))
FLAG_LIE(cached_free_frame, frame_at(shared)->flags, BIT(PG_BUDDY))
FLAG_LIE(exclusive_many_times, frame_at(again)->flags, BIT(PG_ANON_EXCLUSIVE))
FLAG_LIE(exclusive_file_page, frame_at(private)->flags, BIT(PG_ANON_EXCLUSIVE))

/* -- lies about slots ------------------------------------------------------------------------------------------------------- */
static struct page *swap_find_quietly(void)
{
	struct page *page = swap_find(slot_at(swapped));

	page_put(page);
	return page;
}

NUMBER_LIE(swap_entries, mm->pt.nr_swap, 1)
NUMBER_LIE(free_slots, swap_areas[0].free, -1)
NUMBER_LIE(cached_slot, swap_find_quietly()->private, 1)

static void slot_counts(bool on)
{
	if (on)
		swap_dup(slot_at(swapped));
	else
		swap_put(slot_at(swapped));
}

static void slot_of_nobody(bool on)
{
	static swap_entry_t e;

	if (on) {
		e = swap_slot_alloc();
		return;
	}
	*swap_slot(swap_area_of(e), swap_slot_of(e)) = 0;
	swap_slot_freed(swap_area_of(e), swap_slot_of(e));
}

/* -- lies of other kinds ---------------------------------------------------------------------------------------------------- */
static void not_anonymous(bool on)
{
	frame_at(anon)->flags ^= BIT(PG_ANON);
	frame_at(anon)->object = on ? NULL : (void *)vma_at(anon)->anon.own; /* (one word with the family) */
}

static void anon_of_no_family(bool on)
{
	frame_at(anon)->family = on ? NULL : vma_at(anon)->anon.own;
}

static void other_index(bool on)
{
	frame_at(anon)->index += on ? 1 : -1ul;
}

static void no_member(bool on)
{
	static struct anon_family *own;

	if (on)
		own = vma_at(anon)->anon.own;
	vma_at(anon)->anon.own = on ? (void *)&own : own;
}

static struct anon_member *member(void)
{
	return container_of(vma_at(anon)->anon.members.next, struct anon_member, of_range);
}

static void member_elsewhere(bool on)
{
	member()->link.va += on ? PAGE_SIZE : -PAGE_SIZE;
}

static void member_not_in_tree(bool on)
{
	if (on)
		itree_remove(&member()->family->tree, &member()->link.node);
	else
		itree_insert(&member()->family->tree, &member()->link.node);
}

static void no_range(bool on)
{
	static struct vma *vma;

	vma = on ? vma_at(anon) : vma;
	vma->end = on ? anon : beside;
}

static void other_mm(bool on)
{
	struct vma *vma = vma_at(anon);

	vma->mm = on ? other : mm;
}

static void link_not_in_tree(bool on)
{
	struct object_maps *maps = &obj()->maps;

	rwsem_write_lock(&maps->lock);
	if (on)
		rmap_link_remove_locked(maps, &vma_at(shared)->link);
	else
		rmap_link_insert_locked(maps, &vma_at(shared)->link);
	rwsem_write_unlock(&maps->lock);
}

static void index_of_nobody(bool on)
{
	vma_at(window)->link.nonlinear->pt = on ? &other->pt : &mm->pt;
}

static void plant_node(bool on, pgoff_t pgoff, vaddr_t va)
{
	struct nonlinear_index *idx = vma_at(window)->link.nonlinear;

	CHECK(nonlinear_index_stock(idx, 1) == 0);
	rwsem_write_lock(&obj()->maps.lock);
	if (on)
		nonlinear_index_add(idx, pgoff, va);
	else
		nonlinear_node_free(nonlinear_index_del(idx, pgoff, va));
	rwsem_write_unlock(&obj()->maps.lock);
}

static void node_elsewhere(bool on)
{
	plant_node(on, 7, anon);
}

static void node_in_place(bool on)
{
	plant_node(on, 2, window + 2 * PAGE_SIZE);
}

static void node_without_entry(bool on)
{
	plant_node(on, 3, window + PAGE_SIZE);
}

static void not_on_the_flushers_list(bool on)
{
	static struct list *before;

	if (on) {
		before = obj()->dirty_link.prev;
		list_del(&obj()->dirty_link);
		list_init(&obj()->dirty_link);
	} else {
		list_add(&obj()->dirty_link, before);
	}
}

/* The largest free block, from which nobody will be served. */
static struct page *free_block(void)
{
	unsigned order = PAGE_MAX_ORDER;

	while (list_empty(&zones[ZONE_LOW].free[order]))
		order--;
	CHECK(order > 5);
	return list_entry(zones[ZONE_LOW].free[order].prev, struct page, link);
}

static void free_block_in_use(bool on)
{
	free_block()->refs = on;
}

static void inside_a_free_block(bool on)
{
	free_block()[3].mapcount = on;
}

/* -- lists by age -------------------------------------------------------------------------------------------------- */

/* Taken off and forgotten. */
static void on_no_list(bool on)
{
	static struct page *lost;

	if (on) {
		lost = frame_at(anon);
		CHECK(lru_isolate(lost));
		page_put(lost); /* nobody accounts for a reference either: not the lie that is meant */
	} else {
		page_get(lost);
		lru_putback(lost);
	}
}

/* It only says so. */
static void falsely_on_a_list(bool on)
{
	static struct page *lost;

	if (on) {
		on_no_list(true);
		lost = frame_at(anon);
		page_set(lost, PG_LRU);
	} else {
		page_clear(lost, PG_LRU);
		on_no_list(false);
	}
}

/* The list leads back to the page that came before. */
static void twice_on_a_list(bool on)
{
	static struct list *last, *next;

	if (on) {
		last = &frame_at(anon)->link;
		next = last->next;
		last->next = last;
	} else {
		last->next = next;
	}
}

static void wrong_list(bool on)
{
	frame_at(anon)->flags ^= BIT(PG_ACTIVE);
}

static void list_count(bool on)
{
	lru_of(frame_at(anon))->lists[LRU_INACTIVE_ANON].nr += on ? 1 : -1ul;
}

static void locked_count(bool on)
{
	mm->locked_pages += on ? 1 : -1ul;
}

static const struct lie {
	const char *heard; /* is said first */
	void (*tell)(bool on);
} lies[] = {
	{"grants 1 in a vma that grants 3", other_grant},
	{"in a linear vma", wrong_page},
	{"off position, and has no node", wrong_page_in_window},
	{"cached page", private_writable},
	{"does not exist", no_frame},
	{"special entry for frame", special_of_a_page},
	{"which is not a page in use", reserved_frame},
	{"file entry in a linear vma", file_entry_in_linear},
	{"and in no vma", page_in_a_hole},
	{"has no such entry", file_entry_moved},
	{"resident pages", resident},
	{"table pages and has", tables},
	{"vmas of", vmas},
	{"vmas of", total},
	{"overlaps the one before", overlap},
	{"its reverse link says", link_va},
	{"nonlinear index counts", index_count},
	{"its nonlinear index counts", index_users},
	{"beyond the end of its file", file_size},
	{"which says", page_index},
	{"pages and has", object_pages},
	{"pages and has", unmapped_pages},
	{"pages under writeback and has", object_writeback_count},
	{"mappings and has", object_links},
	{"mapcount 2, but 1 entries", mapcount},
	{"pins 0 for writing, -1 for reading", pins},
	{"1 references, but mapcount 1", too_few_refs},
	{"leaks: 2 references", leak},
	{"of no address space and no object", mapped_kernel_page},
	{"free pages and has", zone_free},
	{"of audited: flags", slab_in_use},
	{"slab cache audited counts", cache_objects},
	{"pages are counted as slabs", all_slabs},
	{"table pages exist", all_tables},
	{"allows more than it may", may_not},
	{"more than the vma may", window_may_not},
	{"nonlinear without an object", anon_nonlinear},
	{"VM_MANYPROTS without VM_NONLINEAR", linear_manyprots},
	{"but nonlinear index", no_index},
	{"in a shared vma", anon_shared},
	{"is not exclusive", not_exclusive},
	{"belongs to object", not_anonymous},
	{"mapped and not uptodate", not_uptodate},
	{"does not know that it is dirty", not_dirty},
	{"is dirty without a mark", dirty_without_mark},
	{"the mark says otherwise", writeback_without_mark},
	{"has the free frame", cached_free_frame},
	{"exclusive, mapcount 3", exclusive_many_times},
	{"exclusive, but not anonymous", exclusive_file_page},
	{"family that the vma does not belong to", anon_of_no_family},
	{"has index", other_index},
	{"no member of its own family", no_member},
	{"a family's link says", member_elsewhere},
	{"not in its family's tree", member_not_in_tree},
	{"is on no list by age", on_no_list},
	{"says that it is on a list by age, and is on none", falsely_on_a_list},
	{"is twice on lists by age", twice_on_a_list},
	{"by age and should not be", wrong_list},
	{"by age counts", list_count},
	{"locked pages and has", locked_count},
	{"swap entries and has", swap_entries},
	{"slots as taken and has", free_slots},
	{"which says slot", cached_slot},
	{"exclusive swap entry, but 2 refer", slot_counts},
	{"entries and cached pages for", slot_of_nobody},
	{"is no range", no_range},
	{"belongs to another mm", other_mm},
	{"is not in the object's tree", link_not_in_tree},
	{"belongs to another mapping", index_of_nobody},
	{"lies in no vma of its index", node_elsewhere},
	{"is on its linear position", node_in_place},
	{"has no such entry", node_without_entry},
	{"not on the flusher's list", not_on_the_flushers_list},
	{"free block", free_block_in_use},
	{"lies in a free block", inside_a_free_block},
};

static struct mm_audit audit(u64 flags)
{
	struct mm_audit a = {.flags = flags};

	mm_audit(&a);
	return a;
}

static void every_lie_is_heard(void *arg)
{
	make_world();
	CHECK(audit(MM_AUDIT_SILENT | MM_AUDIT_LEAKS).errors == 0);
	for (unsigned i = 0; i < ARRAY_SIZE(lies); i++) {
		struct mm_audit a;

		lies[i].tell(true);
		a = audit(MM_AUDIT_SILENT | MM_AUDIT_LEAKS);
		lies[i].tell(false);
		if (!a.errors || !strstr(a.first, lies[i].heard))
			sim_fail("not heard: %s; but %llu: %s", lies[i].heard, (unsigned long long)a.errors, a.first);
		a = audit(MM_AUDIT_SILENT | MM_AUDIT_LEAKS);
		if (a.errors)
			return sim_fail("after \"%s\": %s", lies[i].heard, a.first);
	}
	end_world();
}

/* It tells what it looked at. */
static void counts_what_it_sees(void *arg)
{
	struct mm_audit a, none = audit(0);

	CHECK(none.errors == 0 && none.processes == 0 && none.vmas == 0 && none.entries == 0);
	make_world();
	a = audit(0);
	CHECK(a.errors == 0 && a.processes == 2 && a.vmas == mm->nr_vmas && a.first[0] == '\0');
	CHECK(a.entries == 4 + 3 + 1 + 1 + 3 + 2);
	CHECK(a.pages >= none.pages + 4 + 5);
	end_world();
}

/* Leaks are judged only when asked for: a system call under way holds references too. */
static void borrowed_references(void *arg)
{
	make_world();
	page_get(frame_at(anon));
	CHECK(audit(0).errors == 0 && audit(MM_AUDIT_SILENT | MM_AUDIT_LEAKS).errors == 1);
	page_put(frame_at(anon));
	end_world();
}

static bool round_over;

/* A round of the background has a page in its hands for a while. */
static void long_round(void *page)
{
	background_begin();
	page_get(page);
	sim_sleep(40000000);
	page_put(page);
	round_over = true;
	background_end();
}

/* Judging leaks waits until the background has nothing in its hands; else it does not wait. */
static void background_stands_still(void *arg)
{
	struct sim_thread *t;

	make_world();
	round_over = false;
	t = sim_spawn(NULL, 1, long_round, frame_at(anon));
	sim_sleep(10000000);
	CHECK(audit(0).errors == 0 && !round_over);
	CHECK(audit(MM_AUDIT_SILENT | MM_AUDIT_LEAKS).errors == 0 && round_over);
	sim_join(t);
	end_world();
}

/* Aloud, all violations are printed. */
static void prints_when_not_silent(void *arg)
{
	make_world();
	resident(true);
	tables(true);
	CHECK(audit(0).errors == 2);
	resident(false);
	tables(false);
	end_world();
}

static void no_memory(void *arg)
{
	static const char *const points[] = {"page_alloc", "slab_alloc"};
	unsigned failed = 0;

	for (unsigned i = 0; i < ARRAY_SIZE(points); i++)
		for (u64 n = 1; n < 100; n++) {
			struct mm_audit a;

			sim_failpoint(points[i], n);
			a = audit(MM_AUDIT_SILENT);
			if (sim_failpoint_end(points[i]) < n && !a.errors)
				break;
			CHECK(a.errors == 1 && !strcmp(a.first, "no memory to audit with"));
			failed++;
		}
	CHECK(failed >= 3);
}

/* -- while others run ------------------------------------------------------------------------------------------------------ */
static void busy_thread(void *arg)
{
	for (unsigned i = 0; i < 60; i++) {
		store_word(anon + sim_below(4) * PAGE_SIZE, i);
		load_word(shared + sim_below(PAGES) * PAGE_SIZE);
		if (i % 8 == 0)
			CHECK(mm_madvise(sim_mm(), anon, 4 * PAGE_SIZE, MADV_DONTNEED) == 0);
		if (i % 8 == 4)
			CHECK(mm_remap_file_pages(sim_mm(), window, PAGE_SIZE, 0, sim_below(PAGES), 0) == 0);
		if (i % 16 == 9) {
			vaddr_t va = map_pages(2, MAP_PRIVATE, NULL, 0);

			store_word(va, i);
			CHECK(mm_munmap(sim_mm(), va, 2 * PAGE_SIZE) == 0);
		}
	}
}

/* The world stands still as far as it must: no false alarm, and nobody waits for ever. */
static void no_false_alarm(void *arg)
{
	struct sim_thread *threads[3];

	make_world();
	for (unsigned i = 0; i < 3; i++)
		threads[i] = sim_spawn(mm, (int)i + 1, busy_thread, NULL);
	for (unsigned i = 0; i < 20; i++) {
		struct mm_audit a = audit(MM_AUDIT_SILENT);

		if (a.errors)
			sim_fail("%s", a.first);
	}
	for (unsigned i = 0; i < 3; i++)
		sim_join(threads[i]);
	end_world();
}

int main(int argc, char **argv)
{
	sim_main(argc, argv);
	CASE_CALM(every_lie_is_heard);
	CASE_CALM(counts_what_it_sees);
	CASE_CALM(borrowed_references);
	CASE_CALM(background_stands_still);
	CASE_CALM(prints_when_not_silent);
	CASE_CALM(no_memory);
	CASE(no_false_alarm);
	return sim_end();
}
