/*
 * test_plant.c - mm/debug/plant.c and debug.c: violations on purpose, one at a time, gone with their owner.
 *
 * machine: amd64
 */
#include "tests/unit/sim_space.h"

#include "mm/debug/debug.h"

static int owner, stranger;
static vaddr_t anon, shared, window;
static struct sim_file *file;

static void make_world(void)
{
	enter_space();
	file = sim_file_create(SIM_FILE_DISK, 4 * PAGE_SIZE, true);
	anon = map_pages(2, MAP_PRIVATE, NULL, 0);
	shared = map_pages(4, MAP_SHARED, file, 0);
	window = map_pages(2, MAP_SHARED, file, 0);
	store_word(anon, 1);
	store_word(shared, 1);
	load_word(shared + PAGE_SIZE);
	CHECK(mm_remap_file_pages(sim_mm(), window, PAGE_SIZE, 0, 3, 0) == 0);
	load_word(window + PAGE_SIZE); /* page 1 a second time */
}

static void end_world(void)
{
	CHECK(sim_file_sync(file) == 0);
	sim_file_put(file);
}

static int plant(u64 what, vaddr_t addr)
{
	return plant_set(&owner, sim_mm(), &(struct mm_plant){.what = what, .addr = addr});
}

static const char *verdict(void)
{
	static struct mm_audit a;

	a.flags = MM_AUDIT_SILENT | MM_AUDIT_LEAKS;
	mm_audit(&a);
	return a.errors ? a.first : "sound";
}

static void check_plant(u64 what, vaddr_t addr, const char *heard)
{
	int err = plant(what, addr);

	if (err || !strstr(verdict(), heard))
		sim_fail("plant %llu: %d, %s", (unsigned long long)what, err, verdict());
	CHECK(plant(MM_PLANT_NONE, 0) == 0 && !strcmp(verdict(), "sound"));
}

static void each_is_found(void *arg)
{
	make_world();
	CHECK(!strcmp(verdict(), "sound"));
	check_plant(MM_PLANT_REF, anon, "leaks");
	check_plant(MM_PLANT_MAPCOUNT, anon + 123, "mapcount 2, but 1 entries");
	check_plant(MM_PLANT_RSS, 0, "resident pages");
	check_plant(MM_PLANT_LEAK, 0, "leaks: 1 references");
	check_plant(MM_PLANT_NODE, window, "has no such entry");
	check_plant(MM_PLANT_DIRTY, shared, "does not know that it is dirty");
	check_plant(MM_PLANT_TABLES, 0, "table pages and has");
	check_plant(MM_PLANT_SHARED, shared + PAGE_SIZE, "exclusive, mapcount 2");
	check_plant(MM_PLANT_NRPAGES, shared, "pages and has");
	end_world();
}

static void refused_where_there_is_nothing(void *arg)
{
	make_world();
	CHECK(plant(MM_PLANT_NRPAGES + 1, anon) == -EINVAL && plant(MM_PLANT_REF, USER_END) == -EINVAL);
	CHECK(plant(MM_PLANT_REF, anon + PAGE_SIZE) == -EINVAL);             /* not populated */
	CHECK(plant(MM_PLANT_MAPCOUNT, 0) == -EINVAL);                       /* no table */
	CHECK(plant(MM_PLANT_NODE, shared) == -EINVAL);                      /* linear */
	CHECK(plant(MM_PLANT_NRPAGES, anon) == -EINVAL);                     /* no object */
	CHECK(plant(MM_PLANT_NODE, window + 0x100000000000 % USER_END) < 0); /* no vma */
	sim_failpoint("page_alloc", 1);
	CHECK(plant(MM_PLANT_LEAK, 0) == -ENOMEM);
	sim_failpoint_end("page_alloc");
	sim_failpoint("slab_alloc", 1);
	CHECK(plant(MM_PLANT_NODE, window) == -ENOMEM);
	sim_failpoint_end("slab_alloc");
	CHECK(!strcmp(verdict(), "sound"));
	end_world();
}

/* A second one replaces the first. */
static void one_at_a_time(void *arg)
{
	make_world();
	CHECK(plant(MM_PLANT_RSS, 0) == 0 && plant(MM_PLANT_TABLES, 0) == 0);
	CHECK(strstr(verdict(), "table pages and has"));
	CHECK(plant(MM_PLANT_NONE, 0) == 0 && !strcmp(verdict(), "sound"));
	end_world();
}

/* Closing the file of who planted it undoes it, with everything else that he armed; other files do not. */
static void goes_with_its_owner(void *arg)
{
	struct mm_sync_arm point = {.name = "anywhere", .mode = MM_SYNC_PAUSE};
	struct mm_fail fail = {.name = "page_alloc", .nth = 1000};
	struct mm_trace_control trace = {.events = 1 << MM_TRACE_MARK};

	make_world();
	CHECK(plant(MM_PLANT_RSS, 0) == 0 && sync_point_arm(&owner, &point) == 0);
	CHECK(failpoint_arm(&owner, &fail) == 0 && trace_control(&owner, &trace) == 0);
	mm_debug_release(&stranger);
	CHECK(strcmp(verdict(), "sound") && failpoint_hits(&fail) == 0);
	mm_debug_release(&owner);
	CHECK(!strcmp(verdict(), "sound") && failpoint_hits(&fail) == -ENOENT);
	CHECK(sync_point_release(&(struct mm_sync){.name = "anywhere"}) == -ENOENT);
	end_world();
}

/* The address space is kept until then. */
static void keeps_its_address_space(void *arg)
{
	struct mm *mm;

	make_world();
	mm = sim_mm();
	CHECK(plant(MM_PLANT_RSS, 0) == 0 && mm->users > 1);
	end_world();
	sim_use(NULL);
	CHECK(strstr(verdict(), "resident pages"));
	plant_undo(&owner);
}

int main(int argc, char **argv)
{
	sim_main(argc, argv);
	CASE_CALM(each_is_found);
	CASE_CALM(refused_where_there_is_nothing);
	CASE_CALM(one_at_a_time);
	CASE_WITH(&(struct sim_config){.no_audit = true}, goes_with_its_owner);
	CASE_CALM(keeps_its_address_space);
	return sim_end();
}
