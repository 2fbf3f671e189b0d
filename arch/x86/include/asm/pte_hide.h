/*
 * asm/pte_hide.h - takes the names of an entry's layout away again, so that nobody outside arch/ can use them
 * (R4.1).  Layer 1 (x86); Included only by asm/pte.h, when that was not reached through
 * asm/pte_layout.h.
 */
#ifndef ASM_PTE_HIDE_H
#define ASM_PTE_HIDE_H

#undef X86_VAL
#undef X86_PTE_P
#undef X86_PTE_RW
#undef X86_PTE_US
#undef X86_PTE_PWT
#undef X86_PTE_PCD
#undef X86_PTE_A
#undef X86_PTE_D
#undef X86_PTE_PSE
#undef X86_PTE_G
#undef X86_PTE_PROTNONE
#undef X86_PTE_SPECIAL
#undef X86_PTE_UFFD_WP
#undef X86_PTE_GRANTED_W
#undef X86_PTE_PFN
#undef X86_PTE_XD
#undef X86_PTE_GRANT_BITS
#undef SCR_KEY
#undef SCR_STEP
#undef SCR_START

#pragma GCC poison pteval pteval_t X86_VAL x86_pte x86_mk_kernel x86_mk_table x86_pfn_bits x86_grant_bits
#pragma GCC poison X86_PTE_P X86_PTE_RW X86_PTE_US X86_PTE_PWT X86_PTE_PCD
#pragma GCC poison X86_PTE_A X86_PTE_D X86_PTE_PSE X86_PTE_G X86_PTE_PROTNONE
#pragma GCC poison X86_PTE_SPECIAL X86_PTE_UFFD_WP X86_PTE_GRANTED_W X86_PTE_PFN X86_PTE_XD
#pragma GCC poison X86_PTE_GRANT_BITS
#pragma GCC poison scr_open scr_close scr_make scr_payload scr_kind SCR_KEY SCR_STEP SCR_START

#endif
