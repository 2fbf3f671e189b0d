/*
 * sanitizer.h - which sanitizer the process has, and what it wants to be told.  arch/host/os only.
 */
#ifndef ARCH_HOST_OS_SANITIZER_H
#define ARCH_HOST_OS_SANITIZER_H

#include <stddef.h>

#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>
#define HAVE_ASAN 1
#else
#define HAVE_ASAN 0
#endif
#if defined(__SANITIZE_THREAD__)
#include <sanitizer/common_interface_defs.h>
#define HAVE_TSAN 1
#else
#define HAVE_TSAN 0
#endif

#endif
