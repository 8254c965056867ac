/* SPDX-License-Identifier: MIT */
/* The few string functions that gcc may call or we use; standard meanings. snprintf: lib/printf.c. */
#ifndef HV_STRING_H
#define HV_STRING_H

#include <hv/types.h>
#if __STDC_HOSTED__
#include <stdio.h>
#include <stdarg.h>
#include <string.h>
#else
#include <stdarg.h>
void *memcpy(void *dst, const void *src, size_t n);
void *memmove(void *dst, const void *src, size_t n);
void *memset(void *dst, int c, size_t n);
int memcmp(const void *a, const void *b, size_t n);
/* The compiler may open-code small copies: -ffreestanding alone would make every one a call. */
#define memcpy(d, s, n)  __builtin_memcpy(d, s, n)
#define memset(d, c, n)  __builtin_memset(d, c, n)
#define memmove(d, s, n) __builtin_memmove(d, s, n)
#define memcmp(a, b, n)  __builtin_memcmp(a, b, n)
size_t strlen(const char *s);
size_t strnlen(const char *s, size_t max);
int strcmp(const char *a, const char *b);
int strncmp(const char *a, const char *b, size_t n);
char *strchr(const char *s, int c);
int snprintf(char *buf, size_t size, const char *fmt, ...) __printf(3, 4);
int vsnprintf(char *buf, size_t size, const char *fmt, va_list ap);
#endif

/* Parse an unsigned number (decimal, 0x…); *end is left at the first character not used. */
uint64_t parse_u64(const char *s, const char **end);
/* The same with an optional suffix b, k, m, g (or B …); no suffix means units of `unit` bytes. */
uint64_t parse_size(const char *s, const char **end, uint64_t unit);

#endif
