"""What `make bench` measures on Linux and on Pteron: a row is one number of the program user/bench*.c.

To add rows: a group of benchmarks in user/bench.c, its name in GROUPS if it is a new one, a Row for each of its lines here.
"""
import dataclasses

GOAL = 2  # Linux's instructions to ours, at least


@dataclasses.dataclass(frozen=True)
class Row:
    name: str            # as the program prints it
    what: str
    goal: float = GOAL   # Linux / Pteron, at least; 0: none
    limit: int = 0       # ours at most; 0: none


# Groups of benchmarks that run on both kernels, each string in a machine of its own; and those that need the disk.
GROUPS = ("null signal pipe futex fork anon fixed mprotect file cow mosaic notify", "uffd", "huge")
DISK_GROUPS = "msync cache swap pins"

REMAP = 20
ROWS = {
    "Calls, signals, switches": [
        Row("null_syscall", "null system call"),
        Row("signal_handled", "a signal to oneself, handler, return"),
        Row("sigsegv_caught", "SIGSEGV, handler, siglongjmp"),
        Row("pipe_round_trip", "two processes, there and back by pipes"),
        Row("futex_round_trip", "two threads, there and back by futex"),
        Row("thread_create_join", "a thread: create and join"),
        Row("fork_exit_wait", "fork, exit, wait"),
        Row("fork_exit_wait_1024_pages", "the same with 1,024 pages more"),
        Row("fork_exit_wait_16384_pages", "with 16,384"),
        Row("fork_exec_exit_wait", "fork, exec of a static program, exit, wait"),
    ],
    "Calls on memory": [
        Row("mmap_munmap", "mmap and munmap of one page, untouched"),
        Row("munmap_per_page", "munmap, per touched page"),
        Row("munmap_subscribers_0", "munmap of one touched page in the middle of a mapping"),
        Row("dontneed_per_page", "MADV_DONTNEED, per touched page"),
        Row("populate_per_page", "MAP_POPULATE, per page"),
        Row("mprotect_split", "mprotect of a middle page: split"),
        Row("mprotect_merge", "mprotect of a middle page: merge"),
        Row("mprotect_per_page", "mprotect to read-only, per touched page"),
        Row("mprotect_back_per_page", "and back, per touched page"),
        Row("mremap_per_page", "mremap to another place, per touched page"),
        Row("mremap_aligned", "mremap of 1,024 touched pages by 2 MiB"),
    ],
    "Huge pages (2 MiB, two-level tables 4 MiB)": [
        Row("huge_write_fault", "first store: made and cleared"),
        Row("huge_read_fault", "first load: the huge zero page"),
        Row("huge_split", "MADV_DONTNEED of one page of it: split"),
        Row("huge_collapse", "MADV_COLLAPSE of the same, but for that page"),
        Row("huge_dontneed", "MADV_DONTNEED of all of it"),
    ],
    "userfaultfd": [
        Row("uffd_missing_copy", "a missing page, until its thread goes on: by COPY"),
        Row("uffd_missing_zeropage", "the same by ZEROPAGE"),
        Row("uffd_missing_move", "the same by MOVE"),
        Row("uffd_move_one_page", "UFFDIO_MOVE of one page"),
        Row("uffd_move_page_of_512", "UFFDIO_MOVE of 512 pages, per page"),
        Row("uffd_move_huge", "UFFDIO_MOVE of one huge page"),
    ],
    "Faults": [
        Row("anon_write_fault", "anonymous, first store (the page is cleared)", limit=1000),
        Row("anon_read_fault", "anonymous, first load (zero page)"),
        Row("cow_copy_fault", "after fork, first store: copy"),
        Row("cow_reuse_fault", "after fork, the other's store: reuse"),
        Row("file_read_fault", "shared file, page in memory, load"),
        Row("file_write_fault", "shared file, page in memory, store"),
        Row("file_hole_fault", "shared file, page to be made, store"),
        Row("file_private_read_fault", "private file, page in memory, load"),
        Row("file_copy_fault", "private file, page in memory, store: copy"),
        Row("file_read_pass_per_page", "one load from each of 1,024 pages of a file in memory, per page"),
        Row("write_fault_after_msync", "disk file, first store after msync"),
    ],
    "Pages of a file in another order": [
        Row("mmap_fixed_page", "mmap(MAP_FIXED) of one page with its own protection"),
        Row("remap_resident_page", "remap one resident page of 65,536", REMAP, 600),
        Row("remap_vector_per_entry", "256 in one call (a guest's switch), per page", REMAP, 250),
        Row("file_entry_fault", "load through an entry that has offset and protection, page in memory"),
        Row("mosaic_fork_per_page", "fork of that mosaic, per page"),
        Row("mosaic_munmap_per_page", "munmap of it, per page"),
        Row("mosaic_kernel_bytes_per_page", "kernel bytes a page of it, page tables apart", GOAL, 48),
    ],
    "Files and the disk": [
        Row("msync_per_dirty_page", "msync of 256 dirty pages, per page"),
        Row("cache_write_fsync_per_page", "write and fsync of 4 MiB, per page"),
        Row("cache_map_read_per_page", "sequential pass over a cold mapping of 4 MiB, per page"),
        Row("cache_map_dirty_msync_per_page", "stores to 1,024 mapped pages and msync, per page"),
        Row("reclaim_clean_per_page", "reclaim of 1,024 mapped clean file pages, per page"),
        Row("swap_out_per_page", "swap 1,024 pages out, per page"),
        Row("swap_in_per_page", "stores to these, per page"),
        Row("direct_read_4k", "O_DIRECT, 4 KiB read"),
        Row("direct_read_1m", "1 MiB read"),
        Row("direct_write_4k", "4 KiB written in place"),
        Row("direct_write_1m", "1 MiB written in place"),
        Row("writeback_unpinned", "256 pages stored to through a mapping, fsync, per page"),
    ],
}

# Linux has no call for these; what it would do instead is another row's.
LINUX_INSTEAD = {
    "remap_vector_per_entry": "remap_resident_page",
    "file_entry_fault": "file_read_fault",
}

# On Pteron alone: what a number is.
OURS = {
    "swap_out_request_kib": "device requests for swapping out, mean KiB",
    "swap_in_request_kib": "and in",
    "cache_write_fsync_requests": "device requests for data of 4 MiB written",
    "cache_write_fsync_meta_requests": "and for metadata",
    "cache_write_fsync_request_kib": "mean size of those for data, KiB",
    "cache_map_read_requests": "device requests of the sequential pass",
    "cache_map_read_meta_requests": "and for metadata",
    "cache_map_read_request_kib": "mean size of those for data, KiB",
    "cache_map_dirty_msync_requests": "device requests of the pass of stores",
    "cache_map_dirty_msync_meta_requests": "and for metadata",
    "cache_map_dirty_msync_request_kib": "mean size of those for data, KiB",
    **{f"reverse_lookup_{10 ** k}": f"punch a page mapped by one of {10 ** k:,} entries off position" for k in range(2, 7)},
    "munmap_subscribers_0": "munmap of one page, nobody subscribes",
    "munmap_subscribers_1_elsewhere": "with one secondary MMU elsewhere in the address space",
    "munmap_subscribers_64_elsewhere": "with 64",
    "munmap_subscribers_here": "and one that mirrors the page's range",
    "mirror_faults": "a mirror's faults, of 1,000 drops of its page",
    "pin_slow": "pin and unpin, with locks: 256 pages, each",
    "pin_slow_alone": "one page in a call",
    "pin_fast": "pin and unpin, without locks: 256 pages, each",
    "pin_fast_alone": "one page in a call",
    "direct_read_4k_requests": "device requests of 4 MiB read by O_DIRECT in pieces of 4 KiB",
    "direct_read_1m_requests": "of 1 MiB",
    "direct_write_4k_requests": "device requests of 4 MiB written in pieces of 4 KiB",
    "direct_write_1m_requests": "of 1 MiB",
    "writeback_pinned": "fsync of 256 pages under a write pin, per page",
    "mirror_retries": "of these, begun again, while other pages are dropped",
}
