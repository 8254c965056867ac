/* SPDX-License-Identifier: MIT */
/* Block memory functions with the CPU's string instructions, eight bytes at a step: there is no SSE
 * in the hypervisor. */
#include <hv/string.h>

#undef memcpy
#undef memset
#undef memmove
#undef memcmp

void *memcpy(void *dst, const void *src, size_t n)
{
    void *d = dst;
    size_t words = n / 8;

    n %= 8;
    __asm__ volatile("rep movsq\n\t"
                     "mov %3, %0\n\t"
                     "rep movsb"
                     : "+&c"(words), "+&D"(d), "+&S"(src)
                     : "r"(n)
                     : "memory");
    return dst;
}

void *memmove(void *dst, const void *src, size_t n)
{
    char *d = (char *)dst + n;
    const char *s = (const char *)src + n;

    if ((uintptr_t)dst - (uintptr_t)src >= n)
        return memcpy(dst, src, n);
    while (n--)
        *--d = *--s;
    return dst;
}

void *memset(void *dst, int c, size_t n)
{
    void *d = dst;
    size_t words = n / 8;

    n %= 8;
    __asm__ volatile("rep stosq\n\t"
                     "mov %2, %0\n\t"
                     "rep stosb"
                     : "+&c"(words), "+&D"(d)
                     : "r"(n), "a"((uint8_t)c * 0x0101010101010101UL)
                     : "memory");
    return dst;
}

int memcmp(const void *a, const void *b, size_t n)
{
    const unsigned char *x = a, *y = b;

    for (; n; x++, y++, n--)
        if (*x != *y)
            return *x < *y ? -1 : 1;
    return 0;
}
