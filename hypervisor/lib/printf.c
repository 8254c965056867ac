/* SPDX-License-Identifier: MIT */
/*
 * vsnprintf for the log: %d %i %u %x %X %p %s %c %%, flags '-' and '0', width (a number or *),
 * precision for %s, length h hh l ll z. Always ends the buffer with NUL; returns the length that
 * the whole text has.
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

static void pad(struct out *o, char c, int n)
{
    for (; n > 0; n--)
        put(o, c);
}

static void put_text(struct out *o, const char *s, size_t n, int width, bool left)
{
    if (!left)
        pad(o, ' ', width - (int)n);
    for (size_t i = 0; i < n; i++)
        put(o, s[i]);
    if (left)
        pad(o, ' ', width - (int)n);
}

struct spec {
    bool left, zero, negative;
    int width, base;
    bool upper;
};

static void put_number(struct out *o, uint64_t v, const struct spec *s)
{
    char digits[24];
    const char *set = s->upper ? "0123456789ABCDEF" : "0123456789abcdef";
    int n = sizeof(digits), used;

    do
        digits[--n] = set[v % s->base];
    while ((v /= s->base));
    if (s->negative && !s->zero)
        digits[--n] = '-';
    used = (int)sizeof(digits) - n;
    if (s->zero && !s->left) {
        if (s->negative)
            put(o, '-');
        pad(o, '0', s->width - used - s->negative);
        put_text(o, digits + n, used, 0, false);
    } else {
        put_text(o, digits + n, used, s->width, s->left);
    }
}

/* Argument of integer class, with the length modifier seen: 0 int, 1 long or size_t or long long.
 */
static uint64_t number_arg(va_list *ap, bool is_long, bool is_signed, bool *negative)
{
    int64_t v;

    if (!is_signed)
        return is_long ? va_arg(*ap, unsigned long) : va_arg(*ap, unsigned int);
    v = is_long ? va_arg(*ap, long) : va_arg(*ap, int);
    *negative = v < 0;
    return v < 0 ? -(uint64_t)v : (uint64_t)v;
}

static const char *parse_int(const char *f, int *out, va_list *ap)
{
    if (*f == '*') {
        *out = va_arg(*ap, int);
        return f + 1;
    }
    for (*out = 0; *f >= '0' && *f <= '9'; f++)
        *out = *out * 10 + (*f - '0');
    return f;
}

static const char *format_one(struct out *o, const char *f, va_list *ap)
{
    struct spec s = {.base = 10};
    int precision = -1;
    bool is_long = false, is_signed = false, alternate = false;

    for (;; f++) {
        if (*f == '-')
            s.left = true;
        else if (*f == '0')
            s.zero = true;
        else if (*f == '#')
            alternate = true;
        else
            break;
    }
    f = parse_int(f, &s.width, ap);
    if (*f == '.')
        f = parse_int(f + 1, &precision, ap);
    for (; *f == 'l' || *f == 'z' || *f == 'h'; f++)
        is_long |= *f != 'h';

    switch (*f) {
    case 'c': {
        char c = (char)va_arg(*ap, int);
        put_text(o, &c, 1, s.width, s.left);
        break;
    }
    case 's': {
        const char *str = va_arg(*ap, const char *);
        if (!str)
            str = "(null)";
        put_text(o, str, strnlen(str, precision < 0 ? SIZE_MAX : (size_t)precision), s.width,
                 s.left);
        break;
    }
    case 'p':
        put(o, '0');
        put(o, 'x');
        s.base = 16;
        put_number(o, (uintptr_t)va_arg(*ap, void *), &s);
        break;
    case 'X':
        s.upper = true; /* fall through */
    case 'x':
        s.base = 16; /* fall through */
    case 'd':
    case 'i':
    case 'u':
        is_signed = *f == 'd' || *f == 'i';
        if (alternate && s.base == 16) {
            put(o, '0');
            put(o, s.upper ? 'X' : 'x');
            s.width = MAX(s.width - 2, 0);
        }
        put_number(o, number_arg(ap, is_long, is_signed, &s.negative), &s);
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
