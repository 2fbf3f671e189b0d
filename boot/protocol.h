/*
 * protocol.h - numbers of the boot protocols, for assembly and C.  boot/ only.
 */
#ifndef BOOT_PROTOCOL_H
#define BOOT_PROTOCOL_H

#define MB1_HEADER_MAGIC 0x1badb002
#define MB2_HEADER_MAGIC 0xe85250d6

/* What entry32.S hands to arch_start() as the protocol. */
#define BOOT_MAGIC_MB1 0x2badb002
#define BOOT_MAGIC_MB2 0x36d76289
#define BOOT_MAGIC_PVH 0x336ec578

#endif
