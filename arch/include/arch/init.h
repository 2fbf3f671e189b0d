/*
 * init.h - starting the machine.  Layer 1.
 */
#ifndef ARCH_INIT_H
#define ARCH_INIT_H

/* Interrupt controllers, clock, the periodic timer and console input.  Called once by kernel_main()
 * after arch_direct_map_init() (it uses arch_ioremap()) and before anything asks for an interrupt.
 * => interrupts off before and after: the caller switches them on */
void arch_init(void);

#endif
