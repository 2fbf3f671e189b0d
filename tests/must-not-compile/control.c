/* T4-01, positive control: the permitted ways to do what the others try.  Must compile. */
#include <arch/pte.h>

pte_t control(void *table, unsigned n);
pte_t control(void *table, unsigned n)
{
	struct hw_pte *p = hw_pte_at(table, 0);
	pte_t value = pte_none();

	hw_table_init(table);
	for (unsigned i = 0; i < n; i++, p = hw_pte_next(p)) {
		value = hw_pte_get(p);
		if (pte_is_none(value))
			hw_pte_set(p, pte_mk_file(i, GRANT_R));
		else if (!hw_pte_cmpxchg(p, value, pte_none()))
			value = hw_pte_get_and_clear(p);
		if (pte_same(value, pte_none()))
			continue;
	}
	return value;
}
