/*
 * pte_format.c - the entry format that this file is compiled for, described (<arch/pte_format.h>).  Layer 1 (x86);
 * pure, compiles on the host too.
 */
#include <asm/pte_layout.h>
#include <arch/pte_format.h>

#define BITS_SET(bits) \
	{                  \
		(bits), (bits) \
	}
#define BITS_CLEAR(bits) \
	{                    \
		(bits), 0        \
	}

#if defined(PTE_FORMAT_scrambled)

#define FORMAT_NAME "scrambled"
#define FORMAT_KEY SCR_KEY
#define FORMAT_STEP SCR_STEP
#define FORMAT_START SCR_START

#define FORM(code, kind_) .is = {(u64)15 << SCR_KIND_SHIFT, (u64)(code) << SCR_KIND_SHIFT}, .kind = PTE_KIND_##kind_
#define GRANTS .r = BITS_SET(SCR_R), .w = BITS_SET(SCR_W), .x = BITS_SET(SCR_X), .uffd_wp = BITS_SET(SCR_UFFD_WP)
#define PAYLOAD(bits) .payload = {{SCR_PAYLOAD_SHIFT, (bits)}}

static const struct pte_form forms[] = {
	{.is = BITS_CLEAR(~(u64)0), .kind = PTE_KIND_NONE},
	{FORM(SCR_TABLE, TABLE), PAYLOAD(40), .above = true},
	{FORM(SCR_PAGE, PAGE), PAYLOAD(40), GRANTS, .write = BITS_SET(SCR_HW_W), .accessed = BITS_SET(SCR_A),
     .dirty = BITS_SET(SCR_D), .special = BITS_SET(SCR_SPECIAL), .user = BITS_CLEAR(SCR_SUPERVISOR)},
	{FORM(SCR_FILE, FILE), PAYLOAD(46), GRANTS},
	{FORM(SCR_SWAP, SWAP), PAYLOAD(46), GRANTS, .type_field = {SCR_TYPE_SHIFT, 5},
     .exclusive = BITS_SET(SCR_EXCLUSIVE)},
	{FORM(SCR_MIGRATION, MIGRATION), PAYLOAD(46), GRANTS, .write = BITS_SET(SCR_HW_W), .accessed = BITS_SET(SCR_A),
     .dirty = BITS_SET(SCR_D), .exclusive = BITS_SET(SCR_EXCLUSIVE)},
	{FORM(SCR_MARKER, MARKER), GRANTS, .type_field = {SCR_TYPE_SHIFT, 5}},
};

#else /* the three that processors walk */

#define FORMAT_KEY 0
#define FORMAT_STEP 1
#define FORMAT_START 0

#define HARDWARE                                                                                         \
	.w = BITS_SET(X86_PTE_P | X86_PTE_GRANTED_W), .write = BITS_SET(X86_PTE_P | X86_PTE_RW),             \
	.accessed = BITS_SET(X86_PTE_A), .dirty = BITS_SET(X86_PTE_D), .special = BITS_SET(X86_PTE_SPECIAL), \
	.uffd_wp = BITS_SET(X86_PTE_UFFD_WP), .user = BITS_SET(X86_PTE_US), .payload = {{PAGE_SHIFT, PFN_BITS}}
#define TABLE_AND_PAGES                                                      \
	{.is = {X86_PTE_P | X86_PTE_PSE, X86_PTE_P},                             \
	 .kind = PTE_KIND_TABLE,                                                 \
	 .above = true,                                                          \
	 .payload = {{PAGE_SHIFT, PFN_BITS}}},                                   \
		{.is = BITS_SET(X86_PTE_P),                                          \
	     .kind = PTE_KIND_PAGE,                                              \
	     HARDWARE,                                                           \
	     .r = BITS_SET(X86_PTE_P),                                           \
	     .x = EXECUTABLE,                                                    \
	     .global = BITS_SET(X86_PTE_G)},                                     \
		{.is = BITS_SET(X86_PTE_PROTNONE), .kind = PTE_KIND_PAGE, HARDWARE}, \
	{                                                                        \
		.is = BITS_CLEAR(~(u64)0), .kind = PTE_KIND_NONE                     \
	}
#define NO_PAGE (X86_PTE_P | X86_PTE_PROTNONE)

#if defined(PTE_FORMAT_i386)

#define FORMAT_NAME "2level"
#define PFN_BITS 20
#define EXECUTABLE BITS_SET(X86_PTE_P)

#define FILE_FORM(grant)                                                                                \
	.is = {NO_PAGE | X86_SOFT_FILE_GRANT, (grant) << X86_SOFT_FILE_GRANT_SHIFT}, .kind = PTE_KIND_FILE, \
	.payload = {{X86_SOFT_FILE_LOW_SHIFT, X86_SOFT_FILE_LOW_BITS}, {X86_SOFT_FILE_HIGH_SHIFT, 23}}
#define READABLE BITS_SET(X86_SOFT_FILE_GRANT & 2 << X86_SOFT_FILE_GRANT_SHIFT)
#define OTHER_FORM(code, kind_)                                                                         \
	.is = {NO_PAGE | X86_SOFT_FILE_GRANT | X86_SOFT_CODE, (u64)(code) << X86_SOFT_CODE_SHIFT},          \
	.kind = PTE_KIND_##kind_, .r = BITS_CLEAR(X86_SOFT_NO_ACCESS), .x = BITS_CLEAR(X86_SOFT_NO_ACCESS), \
	.w = {X86_SOFT_NO_ACCESS | X86_SOFT_GRANTED_W, X86_SOFT_GRANTED_W}, .uffd_wp = BITS_SET(X86_SOFT_UFFD_WP)
#define SWAP_FORM(area)                                                                                  \
	OTHER_FORM(X86_SOFT_SWAP + (area), SWAP), .type = (area), .payload = {{X86_SOFT_PAYLOAD_SHIFT, 21}}, \
											  .exclusive = BITS_SET(X86_SOFT_EXCLUSIVE)
#define MIGRATION_FORM(code)                                                                                  \
	OTHER_FORM(code, MIGRATION), .payload = {{X86_SOFT_PAYLOAD_SHIFT, 20}}, .accessed = BITS_SET(X86_SOFT_A), \
								 .dirty = BITS_SET(X86_SOFT_D)
#define WHATEVER BITS_CLEAR(X86_PTE_P)

static const struct pte_form forms[] = {
	TABLE_AND_PAGES,
	{FILE_FORM(X86_SOFT_FILE_NONE)},
	{FILE_FORM(X86_SOFT_FILE_R), .r = WHATEVER, .x = WHATEVER},
	{FILE_FORM(X86_SOFT_FILE_RW), .r = WHATEVER, .w = WHATEVER, .x = WHATEVER},
	{SWAP_FORM(0)},
	{SWAP_FORM(1)},
	{SWAP_FORM(2)},
	{MIGRATION_FORM(X86_SOFT_MIGR_R)},
	{MIGRATION_FORM(X86_SOFT_MIGR_R_EXCL), .exclusive = WHATEVER},
	{MIGRATION_FORM(X86_SOFT_MIGR_W), .exclusive = WHATEVER, .write = WHATEVER},
	{OTHER_FORM(X86_SOFT_MARKER, MARKER), .type_field = {X86_SOFT_PAYLOAD_SHIFT, 8}},
};

#else

#if defined(PTE_FORMAT_pae)
#define FORMAT_NAME "pae"
#define PFN_BITS 32
#define SOFT_PFN_BITS 32
#else
#define FORMAT_NAME "4level"
#define PFN_BITS 40
#define SOFT_PFN_BITS 40
#endif
#define EXECUTABLE BITS_CLEAR(X86_PTE_XD)

#define SOFT_FORM(code, kind_)                                                                                \
	.is = {NO_PAGE | X86_SOFT_CODE, (u64)(code) << X86_SOFT_CODE_SHIFT}, .kind = PTE_KIND_##kind_,            \
	.invert = X86_SOFT_INVERT, .uffd_wp = BITS_SET(X86_SOFT_UFFD_WP),                                         \
	.r = BITS_SET((u64)GRANT_R << X86_SOFT_GRANT_SHIFT), .w = BITS_SET((u64)GRANT_W << X86_SOFT_GRANT_SHIFT), \
	.x = BITS_SET((u64)GRANT_X << X86_SOFT_GRANT_SHIFT)
#define SOFT_PAYLOAD(bits) .payload = {{X86_SOFT_PAYLOAD_SHIFT, (bits)}}
#define MIGRATION_FORM(code)                                                                   \
	SOFT_FORM(code, MIGRATION), SOFT_PAYLOAD(SOFT_PFN_BITS), .accessed = BITS_SET(X86_SOFT_A), \
															 .dirty = BITS_SET(X86_SOFT_D)
#define WHATEVER BITS_CLEAR(X86_PTE_P)

static const struct pte_form forms[] = {
	TABLE_AND_PAGES,
	{SOFT_FORM(X86_SOFT_FILE, FILE), SOFT_PAYLOAD(X86_SOFT_PAYLOAD_BITS)},
	{SOFT_FORM(X86_SOFT_SWAP, SWAP), SOFT_PAYLOAD(X86_SOFT_PAYLOAD_BITS), .type_field = {X86_SOFT_TYPE_SHIFT, 5},
     .exclusive = BITS_SET(X86_SOFT_EXCLUSIVE)},
	{MIGRATION_FORM(X86_SOFT_MIGR_R)},
	{MIGRATION_FORM(X86_SOFT_MIGR_R_EXCL), .exclusive = WHATEVER},
	{MIGRATION_FORM(X86_SOFT_MIGR_W), .exclusive = WHATEVER, .write = WHATEVER},
	{SOFT_FORM(X86_SOFT_MARKER, MARKER), .type = PTE_MARKER_NOTE},
	{SOFT_FORM(X86_SOFT_POISON, MARKER), .type = PTE_MARKER_POISON},
};

#endif
#endif

const struct pte_format pte_format = {
	.name = FORMAT_NAME,
	.bytes = sizeof(pteval_t),
	.step = FORMAT_STEP,
	.start = FORMAT_START,
	.nr_levels = PT_LEVELS,
	.nr_forms = ARRAY_SIZE(forms),
	.key = FORMAT_KEY,
	.levels = pt_geometry,
	.forms = forms,
};

static bool holds(const struct pte_test *t, u64 v)
{
	return t->mask && (v & t->mask) == t->value;
}

static u64 field(const struct pte_field *f, u64 v)
{
	return v >> f->shift & (((u64)1 << f->bits) - 1);
}

static struct pte_view read_form(const struct pte_form *f, u64 v)
{
	return (struct pte_view){
		.kind = f->kind,
		.grant =
			(u8)((holds(&f->r, v) ? GRANT_R : 0) | (holds(&f->w, v) ? GRANT_W : 0) | (holds(&f->x, v) ? GRANT_X : 0)),
		.write = holds(&f->write, v),
		.accessed = holds(&f->accessed, v),
		.dirty = holds(&f->dirty, v),
		.special = holds(&f->special, v),
		.uffd_wp = holds(&f->uffd_wp, v),
		.exclusive = holds(&f->exclusive, v),
		.type = (u8)(f->type + field(&f->type_field, v)),
		.payload = field(&f->payload[0], v) | field(&f->payload[1], v) << f->payload[0].bits,
	};
}

struct pte_view pte_format_decode(pte_t pte, unsigned level)
{
	u64 v = X86_VAL(pte) ^ pte_format.key;

	for (unsigned i = 0; i < pte_format.nr_forms; i++) {
		const struct pte_form *f = &pte_format.forms[i];
		struct pte_view w;

		if (!holds(&f->is, v) || (f->above && !level))
			continue;
		w = read_form(f, v ^ f->invert);
		if (w.kind == PTE_KIND_PAGE) /* one of the low bits of a large page's frame number is not part of it */
			w.payload &= ~(((u64)1 << (pte_format.levels[level].shift - PAGE_SHIFT)) - 1);
		return w;
	}
	return (struct pte_view){.kind = PTE_KIND_NONE};
}

unsigned pte_format_place(unsigned level, unsigned index)
{
	return (pte_format.step * index + pte_format.start) % (unsigned)pt_entries(level) * pte_format.bytes;
}
