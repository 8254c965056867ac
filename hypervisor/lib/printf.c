/* SPDX-License-Identifier: MIT */
/*
 * vsnprintf for the log: %d %u %x %#x %c %s %%, flag 0, width, precision for %s, length l and z.
 * Always ends the buffer with NUL; returns the length that the whole text has.
 */
#include <hv/string.h>

struct out {
    char *buf;
    size_t size, len;
};

static void put(struct out *o, char c)
{
    if (o->len + 1 < o->size)
        o->buf[o->len] = c;
    o->len++;
}

static void put_text(struct out *o, const char *s, size_t n, unsigned width, char fill)
{
    for (; width > n; width--)
        put(o, fill);
    while (n--)
        put(o, *s++);
}

static void put_number(struct out *o, uint64_t v, unsigned base, unsigned width, char fill)
{
    char digits[24];
    unsigned n = sizeof(digits);

    do
        digits[--n] = "0123456789abcdef"[v % base];
    while ((v /= base));
    put_text(o, digits + n, sizeof(digits) - n, width, fill);
}

static unsigned parse_width(const char **f)
{
    unsigned n = 0;

    for (; **f >= '0' && **f <= '9'; ++*f)
        n = n * 10 + (**f - '0');
    return n;
}

/* One conversion; f is behind the '%'. Returns its last character. */
static const char *format_one(struct out *o, const char *f, va_list *ap)
{
    bool alternate = *f == '#', is_long = false;
    size_t precision = SIZE_MAX;
    unsigned width;
    const char *s;
    uint64_t v;
    char fill;

    f += alternate;
    fill = *f == '0' ? '0' : ' ';
    width = parse_width(&f);
    if (*f == '.') {
        f++;
        precision = parse_width(&f);
    }
    for (; *f == 'l' || *f == 'z'; f++)
        is_long = true;
    switch (*f) {
    case 's':
        s = va_arg(*ap, const char *);
        put_text(o, s, strnlen(s, precision), width, ' ');
        break;
    case 'c':
        put(o, (char)va_arg(*ap, int));
        break;
    case 'd':
        v = is_long ? va_arg(*ap, long) : va_arg(*ap, int);
        if ((int64_t)v < 0) {
            put(o, '-');
            v = -v;
        }
        put_number(o, v, 10, width, fill);
        break;
    case 'u':
    case 'x':
        v = is_long ? va_arg(*ap, unsigned long) : va_arg(*ap, unsigned);
        if (alternate)
            put_text(o, "0x", 2, 0, ' ');
        put_number(o, v, *f == 'x' ? 16 : 10, width, fill);
        break;
    case '\0':
        return f - 1;
    default:
        put(o, *f);
    }
    return f;
}

int vsnprintf(char *buf, size_t size, const char *fmt, va_list ap_in)
{
    struct out o = {buf, size, 0};
    va_list ap;

    va_copy(ap, ap_in);
    for (; *fmt; fmt++) {
        if (*fmt == '%')
            fmt = format_one(&o, fmt + 1, &ap);
        else
            put(&o, *fmt);
    }
    va_end(ap);
    if (size)
        buf[MIN(o.len, size - 1)] = 0;
    return (int)o.len;
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
