/*
 * asm/pt_geometry.h - geometry of the trees of x86, and of those of the scrambled format, which has that of x86-64.
 * Layer 1 (x86).  Included only by <asm/pgtable.h>, the machine's and the simulated one's, which need struct pt_level.
 */

/* PAE: the four top entries are read only when CR3 is written. */
#if defined(PTE_FORMAT_pae)
#define PT_ROOT_COPIED true
#else
#define PT_ROOT_COPIED false
#endif

#if defined(PTE_FORMAT_amd64) || defined(PTE_FORMAT_scrambled)
#define PT_LEVELS 4
static const struct pt_level pt_geometry[PT_LEVELS] __unused = {
	{12, 9, true},
	{21, 9, true},
	{30, 9, true},
	{39, 9, false},
};
#elif defined(PTE_FORMAT_pae)
#define PT_LEVELS 3
static const struct pt_level pt_geometry[PT_LEVELS] __unused = {
	{12, 9, true},
	{21, 9, true},
	{30, 2, false},
};
#else
#define PT_LEVELS 2
static const struct pt_level pt_geometry[PT_LEVELS] __unused = {
	{12, 10, true},
	{22, 10, true},
};
#endif
