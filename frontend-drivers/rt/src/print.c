/* SPDX-License-Identifier: MIT */
/*
 * printf over one of three consoles: dom0 writes through console_io, a domU into its PV console
 * ring (and tells the other end by its event channel), a child domain into console_memory, where
 * its parent reads it. One lock keeps lines of two vCPUs apart.
 */
#include <rt/print.h>
#include <rt/event.h>
#include <rt/page.h>
#include <xen/io/console.h>

struct console_memory console_memory
    PAGE_ALIGNED; /* within one page: it is looked at from outside */
static struct xencons_interface *ring;
static int lock;

void console_init(void)
{
    long rc;

    if (is_dom0())
        return;
    ring = window_map(pte_make(start_info->console.domU.mfn, PTE_RW_FLAGS), &rc);
}

static void ring_write(const char *text, size_t len)
{
    while (len) {
        XENCONS_RING_IDX prod = ring->out_prod;

        for (; len && prod - READ_ONCE(ring->out_cons) < sizeof(ring->out); len--)
            ring->out[MASK_XENCONS_IDX(prod++, ring->out)] = *text++;
        __atomic_thread_fence(__ATOMIC_SEQ_CST);
        WRITE_ONCE(ring->out_prod, prod);
        event_send(start_info->console.domU.evtchn);
        if (len)
            sched_yield();
    }
}

static void memory_write(const char *text, size_t len)
{
    for (; len && console_memory.used < sizeof(console_memory.text); len--)
        console_memory.text[console_memory.used++] = *text++;
}

void console_write(const char *text, size_t len)
{
    while (__atomic_exchange_n(&lock, 1, __ATOMIC_ACQUIRE))
        __asm__ volatile("pause");
    if (ring)
        ring_write(text, len);
    else if (is_dom0())
        hv_console_io(CONSOLEIO_write, len, text);
    else
        memory_write(text, len);
    __atomic_store_n(&lock, 0, __ATOMIC_RELEASE);
}

struct out {
    char *buf;
    size_t size, used;
};

static void put(struct out *o, char c)
{
    if (o->used + 1 < o->size)
        o->buf[o->used] = c;
    o->used++;
}

/* `text` padded to `width` with blanks on the left, or on the right when `left`. */
static void put_padded(struct out *o, const char *text, size_t len, int width, bool left)
{
    int pad = width - (int)len;

    for (; !left && pad > 0; pad--)
        put(o, ' ');
    for (size_t i = 0; i < len; i++)
        put(o, text[i]);
    for (; pad > 0; pad--)
        put(o, ' ');
}

static void put_number(struct out *o, uint64_t v, bool negative, unsigned int base, bool alt,
                       bool zero, int width, bool left)
{
    char digits[32];
    size_t n = sizeof(digits);
    int prefix = (alt && base == 16 ? 2 : 0) + (negative ? 1 : 0);

    do {
        digits[--n] = "0123456789abcdef"[v % base];
        v /= base;
    } while (v);
    while (zero && (int)(sizeof(digits) - n) + prefix < width && n > 3)
        digits[--n] = '0';
    if (alt && base == 16) {
        digits[--n] = 'x';
        digits[--n] = '0';
    }
    if (negative)
        digits[--n] = '-';
    put_padded(o, digits + n, sizeof(digits) - n, width, left);
}

int vsnprintf(char *buf, size_t size, const char *fmt, va_list ap)
{
    struct out o = {buf, size, 0};

    for (; *fmt; fmt++) {
        bool left = false, zero = false, alt = false;
        int width = 0, longs = 0;

        if (*fmt != '%') {
            put(&o, *fmt);
            continue;
        }
        for (fmt++; *fmt == '-' || *fmt == '0' || *fmt == '#'; fmt++) {
            left |= *fmt == '-';
            zero |= *fmt == '0';
            alt |= *fmt == '#';
        }
        for (; *fmt >= '0' && *fmt <= '9'; fmt++)
            width = width * 10 + (*fmt - '0');
        for (; *fmt == 'l' || *fmt == 'z'; fmt++)
            longs++;
        switch (*fmt) {
        case 'c': {
            char c = va_arg(ap, int);

            put_padded(&o, &c, 1, width, left);
            break;
        }
        case 's': {
            const char *s = va_arg(ap, const char *);

            s = s ? s : "(null)";
            put_padded(&o, s, strlen(s), width, left);
            break;
        }
        case 'd':
        case 'i': {
            int64_t v = longs ? va_arg(ap, int64_t) : va_arg(ap, int);

            put_number(&o, v < 0 ? -(uint64_t)v : (uint64_t)v, v < 0, 10, false, zero, width, left);
            break;
        }
        case 'u':
        case 'x': {
            uint64_t v = longs ? va_arg(ap, uint64_t) : va_arg(ap, unsigned int);

            put_number(&o, v, false, *fmt == 'x' ? 16 : 10, alt, zero, width, left);
            break;
        }
        case 'p':
            put_number(&o, (uint64_t)va_arg(ap, void *), false, 16, true, zero, width, left);
            break;
        case '%':
            put(&o, '%');
            break;
        default:
            put(&o, '%');
            put(&o, *fmt);
        }
    }
    if (size)
        buf[o.used < size ? o.used : size - 1] = 0;
    return o.used;
}

int snprintf(char *buf, size_t size, const char *fmt, ...)
{
    va_list ap;
    int n;

    va_start(ap, fmt);
    n = vsnprintf(buf, size, fmt, ap);
    va_end(ap);
    return n;
}

int printf(const char *fmt, ...)
{
    char line[512];
    va_list ap;
    int n;

    va_start(ap, fmt);
    n = vsnprintf(line, sizeof(line), fmt, ap);
    va_end(ap);
    console_write(line, n < (int)sizeof(line) ? n : (int)sizeof(line) - 1);
    return n;
}
