# Pteron: build, run, test.  `make help` lists the targets.
#
#   ARCH=x86_64|i386  PAGING=4level|pae|2level|scrambled  BUILD=debug|release  FW=direct|bios|uefi  SMP=n  MEM=512
#   IOMMU=1 (x86_64: an IOMMU in front of the devices)
#   DISK=virtio|nvme (what run and guest give the machine)
#   SAN=kasan (x86_64: a debug build that checks every access)
#   RAW=1 (values of page-table entries are bare integers: what does their type cost?)
#   PAGING=scrambled (x86_64: mm/ and kernel/ on an entry format that no processor walks; arch/x86/mm/shadow.c)

ARCH   ?= x86_64
PAGING ?= $(if $(filter i386,$(ARCH)),pae,4level)
BENCH_BUILD := $(or $(BUILD),release)
BUILD  ?= debug
SAN    ?=
RAW    ?=
CONFIG := $(ARCH)-$(PAGING)-$(or $(SAN),$(BUILD))$(if $(RAW),-raw)
OUT    := build/$(CONFIG)

ifeq ($(ARCH),x86_64)
CROSS  ?= x86_64-linux-gnu-
BITS   := 64
FORMAT := $(if $(filter scrambled,$(PAGING)),scrambled,amd64)
HARDWARE := amd64
ARCHFLAGS := -m64 -mno-red-zone -mcmodel=kernel
LDEMU  := elf_x86_64
else
CROSS  ?= i686-linux-gnu-
BITS   := 32
FORMAT := $(if $(filter 2level,$(PAGING)),i386,pae)
HARDWARE := $(FORMAT)
# Interrupts leave the stack aligned to 4 only.
ARCHFLAGS := -m32 -march=i686 -mpreferred-stack-boundary=2
LDEMU  := elf_i386
endif

CC := $(CROSS)gcc
LD := $(CROSS)ld
NM := $(CROSS)nm

WARN := -Wall -Wextra -Werror -Wno-unused-parameter -Wmissing-prototypes -Wstrict-prototypes -Wvla -Wundef
INCLUDE := -iquote . -I arch/include -I arch/x86/include
# Generic code has entries of FORMAT; the machine's own files have hardware's, but for those that read generic tables.
READS_GENERIC := arch/x86/mm/pte_view.c arch/x86/mm/pte_format.c arch/x86/mm/shadow_walk.c
format_of = -DPTE_FORMAT_$(if $(filter $(READS_GENERIC),$(1)),$(FORMAT),$(if $(filter arch/% boot/%,$(1)),$(HARDWARE),$(FORMAT)))=1
DEFS := -DBITS=$(BITS) -DPTERON_CONFIG=\"$(CONFIG)\" $(if $(filter scrambled,$(FORMAT)),-DPTE_SHADOW=1) $(if $(RAW),-DPTE_RAW=1)
# What debug builds check: undefined behaviour (kernel/lib/ubsan.c), overwritten stacks (kernel/lib/stack_guard.c).
CHECKS := -fsanitize=shift,bounds,integer-divide-by-zero,unreachable,return,bool,enum,vla-bound,builtin,alignment \
	-fno-sanitize-recover=undefined -fstack-protector-strong -mstack-protector-guard=global
CFLAGS := -std=gnu11 -g -ffreestanding -fno-pic -fno-pie -fno-common -fno-strict-aliasing -fno-asynchronous-unwind-tables \
	-fno-omit-frame-pointer -fno-stack-protector -mgeneral-regs-only -fno-delete-null-pointer-checks -fwrapv \
	$(ARCHFLAGS) $(WARN) $(INCLUDE) $(DEFS) $(if $(filter debug,$(BUILD)),-O1 -DDEBUG=1 $(CHECKS),-O2 -momit-leaf-frame-pointer -DDEBUG=0) -DKASAN=$(if $(filter kasan,$(SAN)),1,0)

# SAN=kasan: every access is checked against shadow memory (kernel/lib/kasan.h).
KASAN_OFFSET := 0xdffffc0000000000
ifeq ($(SAN),kasan)
ifneq ($(ARCH),x86_64)
$(error SAN=kasan is for ARCH=x86_64)
endif
CFLAGS += -DKASAN_SHADOW_OFFSET=$(KASAN_OFFSET)
KASAN := -fsanitize=kernel-address -fasan-shadow-offset=$(KASAN_OFFSET) --param asan-instrumentation-with-call-threshold=10000 \
	--param asan-stack=1 --param asan-globals=1 -fsanitize-address-use-after-scope
$(OUT)/mm/debug/kasan.o $(OUT)/arch/x86/64/kasan.o: KASAN :=
endif

# In a release the ways of a single remap, a fault and a signal do without frame pointers: a backtrace may skip these functions.
ifeq ($(BUILD),release)
$(addprefix $(OUT)/,mm/space/nonlinear.o mm/space/nonlinear_exchange.o mm/rmap/nonlinear_index.o kernel/lib/rbtree.o \
	mm/object/pagecache.o mm/pgtable/pgtable.o mm/pgtable/walk.o mm/space/vma.o kernel/lib/radix.o arch/x86/mm/tlb.o \
	kernel/proc/syscall.o kernel/proc/sys_mm.o mm/space/fault.o mm/space/fault_anon.o mm/space/fault_file.o mm/phys/lru.o \
	mm/phys/page.o mm/phys/page_alloc.o kernel/proc/trap.o kernel/proc/signal.o kernel/proc/sigdeliver.o \
	kernel/proc/sys_signal.o kernel/proc/sys_kill.o arch/x86/$(BITS)/signal.o arch/x86/cpu/fpu.o): CFLAGS += -fomit-frame-pointer
endif

# Every .c and .S below these folders is part of the kernel; the width's own folders are chosen by ARCH.
KDIRS := boot kernel mm arch/x86/mm arch/x86/cpu arch/x86/io arch/x86/debug arch/x86/$(BITS) tests/contract
KDIRS += $(if $(filter 64,$(BITS)),arch/x86/virt)
KSRC := $(sort $(shell find $(KDIRS) -name '*.c' -o -name '*.S'))
ifneq ($(BUILD),debug)
KSRC := $(filter-out kernel/lib/ubsan.c mm/debug/% kernel/fs/dev_mm.c mm/pgtable/count.c,$(KSRC))
endif
# Guests need a 64-bit processor.
ifneq ($(SAN),kasan)
KSRC := $(filter-out mm/debug/kasan.c arch/x86/64/kasan.c,$(KSRC))
endif
KSRC := $(filter-out $(if $(filter scrambled,$(FORMAT)),arch/x86/mm/root.c,arch/x86/mm/shadow.c arch/x86/mm/shadow_walk.c),$(KSRC))
KOBJ := $(patsubst %,$(OUT)/%.o,$(basename $(KSRC))) $(OUT)/syscall_names.o

all: $(OUT)/kernel.elf
.PHONY: all
.DELETE_ON_ERROR:

$(OUT)/%.o: %.c
	@mkdir -p $(@D)
	$(CC) $(CFLAGS) $(call format_of,$<) $(KASAN) -MMD -MP -c $< -o $@

$(OUT)/%.o: %.S
	@mkdir -p $(@D)
	$(CC) $(CFLAGS) $(call format_of,$<) -D__ASSEMBLER__=1 -MMD -MP -c $< -o $@

-include $(KOBJ:.o=.d)

# -- link ------------------------------------------------------------------------------------------------------
# Twice: the first link gives the function addresses, of which tools/ksyms.awk makes the symbol table for
# backtraces; the second adds it behind the code.
LDFLAGS := -m $(LDEMU) -nostdlib -static -z max-page-size=0x1000 -z noexecstack --no-warn-rwx-segments --build-id=none
LIBGCC := $(if $(filter 32,$(BITS)),$(shell $(CC) -print-libgcc-file-name))
LDFORMAT := $(if $(filter 64,$(BITS)),elf64-x86-64,elf32-i386)

$(OUT)/linker.ld: linker.ld arch/x86/include/asm/layout.h arch/x86/include/asm/user_layout.h arch/x86/include/asm/offsets.h
	@mkdir -p $(@D)
	$(CC) -E -P -undef -x c $(INCLUDE) $(DEFS) $(call format_of,$<) -DLD_FORMAT=$(LDFORMAT) $< -o $@

$(OUT)/kernel.pass1: $(KOBJ) $(OUT)/linker.ld
	$(LD) $(LDFLAGS) -T $(OUT)/linker.ld -o $@ $(KOBJ) $(LIBGCC)

$(OUT)/ksyms.S: $(OUT)/kernel.pass1 tools/ksyms.awk
	$(NM) -n $< | awk -f tools/ksyms.awk > $@

$(OUT)/syscall_names.c: tools/syscall_names.awk
	@mkdir -p $(@D)
	echo '#include <asm/unistd.h>' | $(CC) $(ARCHFLAGS) -fno-pic -E -dM - | awk -f $< > $@

$(OUT)/syscall_names.o: $(OUT)/syscall_names.c
	$(CC) $(CFLAGS) $(call format_of,$<) -c $< -o $@

$(OUT)/ksyms.o: $(OUT)/ksyms.S
	$(CC) $(ARCHFLAGS) -fno-pic -c $< -o $@

$(OUT)/kernel.elf: $(OUT)/ksyms.o $(OUT)/kernel.pass1
	$(LD) $(LDFLAGS) -T $(OUT)/linker.ld -o $@ $(KOBJ) $(OUT)/ksyms.o $(LIBGCC)

# -- user ------------------------------------------------------------------------------------------------------
# Everything of ring 3: ordinary static Linux programs, by the tool chain's own libc.  Objects: $(OUT)/user-obj.
UOBJ := $(OUT)/user-obj
UFLAGS := -std=gnu11 -O1 -g -pthread -Wall -Wextra -Werror -iquote . -D_FILE_OFFSET_BITS=64
UMK := $(addprefix $(UOBJ)/user/,umk_window.o umk_mmu.o umk_guest.o umk_run.o kmem.o)
SUITE := $(patsubst %.c,$(UOBJ)/%.o,$(filter-out tests/user/bigfile.c,$(sort $(wildcard tests/user/*.c)))) $(UMK)
UPROGRAMS := $(addprefix $(OUT)/user/,init sh demo suite reverse64m bench umk walk poweroff reboot oracle)

user: $(UPROGRAMS)

$(UOBJ)/%.o: %.c
	@mkdir -p $(@D)
	$(CC) $(UFLAGS) -MMD -MP -c $< -o $@

$(UOBJ)/%.o: %.S
	@mkdir -p $(@D)
	$(CC) -iquote . -MMD -MP -c $< -o $@

$(OUT)/user/init: $(UOBJ)/user/init.o
$(OUT)/user/poweroff: $(UOBJ)/user/poweroff.o
$(OUT)/user/reboot: $(UOBJ)/user/poweroff.o
$(OUT)/user/sh: $(addprefix $(UOBJ)/user/,sh.o applets.o)
$(OUT)/user/demo: $(addprefix $(UOBJ)/user/,demo.o demo_mosaic.o demo_steps.o demo_guest.o demo_pins.o demo_collect.o demo_migrate.o collector.o uffd.o guest.o guest_code.o ptes.o kmem.o)
$(OUT)/user/bench: $(patsubst %.c,$(UOBJ)/%.o,$(sort $(wildcard user/bench*.c)) user/kmem.c user/uffd.c) $(UMK)
$(OUT)/user/umk: $(UOBJ)/user/umk.o $(UMK)
$(OUT)/user/walk: $(UOBJ)/user/walk.o
$(OUT)/user/reverse64m: $(UOBJ)/tests/user/bigfile.o
$(OUT)/user/oracle: $(patsubst %.c,$(UOBJ)/%.o,$(sort $(wildcard tests/oracle/*.c)) tests/user/catch.c)
$(OUT)/user/suite: $(SUITE) $(addprefix $(UOBJ)/user/,guest.o guest_code.o collector.o uffd.o)
$(UPROGRAMS):
	@mkdir -p $(@D)
	$(CC) -static -pthread $^ -o $@

-include $(wildcard $(UOBJ)/user/*.d $(UOBJ)/tests/user/*.d $(UOBJ)/tests/oracle/*.d)

# -- images ----------------------------------------------------------------------------------------------------

kernel: $(OUT)/kernel.elf
root: $(OUT)/root.img
ramdisk: $(OUT)/ramdisk.img

$(OUT)/root.img: $(UPROGRAMS) tools/make_root.py
	tools/make_root.py --arch $(ARCH) --programs $(OUT)/user --out $@ --size 64

# The ISO of one format carries a small root file system as its module, so that it boots alone.
$(OUT)/ramdisk.img: $(UPROGRAMS) tools/make_root.py
	tools/make_root.py --arch $(ARCH) --programs $(OUT)/user --out $@ --size 24

iso: setup
	@python3 -c "import sys; sys.path.insert(0, 'tools'); import machine; \
		print(machine.make_iso(machine.from_environment(), 'build/pteron.iso', ''))"

# -- what people type ------------------------------------------------------------------------------------------
export ARCH PAGING BUILD SAN FW DISK SMP MEM TESTS T N ACCEL ICOUNT IOMMU APPEND LANES LANE PROG ARGS WITH VERBOSE STUB LONG SEED COUNT RECORD FORMATS COVERAGE TSAN MODEL_SECONDS PART DOC CONSOLE PORT GDB

help:
	@echo 'make run      boot Pteron with a shell on this terminal (Ctrl-A X leaves)'
	@echo 'make test     run every test there is          LANES=guest*,gdb*  LONG=1  SEED=n'
	@echo 'make check    layers, headers, -Werror builds, formatting, cppcheck'
	@echo "make host     mm/ in an ordinary process       TESTS='test_mmap*' FORMATS='pae tiny2' LONG=1 COVERAGE=1 SEED=n"
	@echo "make guest    the ring-3 suite on one machine  TESTS='T0-*'"
	@echo 'make debug    a machine that waits, gdb connected  STUB=qemu|kernel  CONSOLE=tmux  PORT=n'
	@echo 'make replay   record a test, run and debug the recording  T=name'
	@echo 'make walk     the guided walk of docs/book     T=4'
	@echo 'make exec     run one static Linux program     PROG=./a.out ARGS=... WITH=dir'
	@echo 'make bench    costs, beside those of Linux     PART=compare|alone  DOC=1'
	@echo 'make oracle   the same programs on Linux 6.12   COUNT=1000 SEED=1 TESTS=none RECORD=1'
	@echo 'make profile  hottest functions of an operation T=mosaic/remap_resident_page  N=16'
	@echo 'make iso      a hybrid boot image (BIOS and UEFI)'
	@echo 'each with     ARCH=x86_64|i386 PAGING=4level|pae|2level|scrambled FW=direct|bios|uefi SMP=1 MEM=512 BUILD=debug|release'

setup:
	@tools/setup.sh

run: setup
	@tools/run.py
test: setup
	@tools/test.py
guest: setup
	@tools/run_guest.py
debug: setup
	@tools/debug.py
replay: setup
	@tools/replay.py
walk: setup
	@tools/walk.py
exec: setup
	@tools/exec.py
bench: BUILD := $(BENCH_BUILD)
bench: setup
	@tools/bench.py
oracle: setup
	@tools/oracle.py
profile: BUILD := $(BENCH_BUILD)
profile: setup
	@tools/profile.py
check: setup
	@tools/check.py
host: setup
	@tools/host.py
clean:
	rm -rf build

.PHONY: kernel root ramdisk iso help setup run test guest debug replay walk exec bench oracle profile check host clean user
