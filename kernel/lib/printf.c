/*
 * printf.c - formatted printing into a buffer.  Layer 0.
 */
#include "kernel/lib/string.h"

struct out {
	char *buf;
	size_t size; /* of buf */
	size_t n;    /* characters that the text has so far */
};

/* One conversion: %[flags][width][.precision][length]type */
struct spec {
	bool left, zero, plus, space, alt, upper;
	int width, precision; /* precision -1: none given */
	unsigned bytes;       /* of the integer argument */
};

static void put(struct out *o, char c)
{
	if (o->n + 1 < o->size)
		o->buf[o->n] = c;
	o->n++;
}

static void pad(struct out *o, char c, int n)
{
	while (n-- > 0)
		put(o, c);
}

static void put_text(struct out *o, const struct spec *sp, const char *s, int n)
{
	if (!sp->left)
		pad(o, ' ', sp->width - n);
	for (int i = 0; i < n; i++)
		put(o, s[i]);
	if (sp->left)
		pad(o, ' ', sp->width - n);
}

/* @prefix: sign or 0x. */
static void put_number(struct out *o, const struct spec *sp, u64 v, unsigned base, const char *prefix)
{
	const char *digits = sp->upper ? "0123456789ABCDEF" : "0123456789abcdef";
	char text[24];
	int n = 0, prefix_len = (int)strlen(prefix), zeros;

	/* Small values without the (on 32 bits, costly) 64-bit division. */
	for (; v > ~0u; v /= base)
		text[n++] = digits[v % base];
	for (u32 low = (u32)v; low; low /= base)
		text[n++] = digits[low % base];
	if (n == 0 && sp->precision != 0)
		text[n++] = '0';
	zeros = sp->precision - n;
	if (sp->precision < 0 && sp->zero && !sp->left)
		zeros = sp->width - prefix_len - n;
	if (zeros < 0)
		zeros = 0;
	if (!sp->left)
		pad(o, ' ', sp->width - prefix_len - zeros - n);
	while (*prefix)
		put(o, *prefix++);
	pad(o, '0', zeros);
	for (int i = n; i-- > 0;)
		put(o, text[i]);
	if (sp->left)
		pad(o, ' ', sp->width - prefix_len - zeros - n);
}

static const char *parse_flags(struct spec *sp, const char *f)
{
	for (;; f++) {
		if (*f == '-')
			sp->left = true;
		else if (*f == '0')
			sp->zero = true;
		else if (*f == '+')
			sp->plus = true;
		else if (*f == ' ')
			sp->space = true;
		else if (*f == '#')
			sp->alt = true;
		else
			return f;
	}
}

static const char *parse_int(const char *f, int *v)
{
	for (*v = 0; *f >= '0' && *f <= '9'; f++)
		*v = *v * 10 + (*f - '0');
	return f;
}

static const char *parse_length(struct spec *sp, const char *f)
{
	sp->bytes = sizeof(int);
	if (f[0] == 'h') {
		sp->bytes = f[1] == 'h' ? 1 : 2;
		return f + (f[1] == 'h' ? 2 : 1);
	}
	if (f[0] == 'l') {
		sp->bytes = f[1] == 'l' ? 8 : sizeof(long);
		return f + (f[1] == 'l' ? 2 : 1);
	}
	if (*f == 'z' || *f == 't')
		sp->bytes = sizeof(size_t);
	else if (*f == 'j')
		sp->bytes = 8;
	else
		return f;
	return f + 1;
}

static u64 truncate_to(u64 v, unsigned bytes, bool is_signed)
{
	unsigned shift = 64 - 8 * bytes;

	return is_signed ? (u64)((s64)(v << shift) >> shift) : v << shift >> shift;
}

static void put_signed(struct out *o, const struct spec *sp, s64 v)
{
	const char *sign = v < 0 ? "-" : sp->plus ? "+" : sp->space ? " " : "";

	put_number(o, sp, v < 0 ? 0 - (u64)v : (u64)v, 10, sign);
}

static void put_string(struct out *o, const struct spec *sp, const char *s)
{
	if (!s)
		s = "(null)";
	put_text(o, sp, s, (int)strnlen(s, sp->precision >= 0 ? (size_t)sp->precision : 0x7fffffff));
}

int vsnprintf(char *buf, size_t size, const char *fmt, va_list ap)
{
	struct out o = {buf, size, 0};

	for (const char *f = fmt; *f; f++) {
		struct spec sp = {.precision = -1};
		u64 v = 0;
		char c;

		if (*f != '%') {
			put(&o, *f);
			continue;
		}
		f = parse_flags(&sp, f + 1);
		if (*f == '*') {
			sp.width = va_arg(ap, int);
			f++;
			if (sp.width < 0) {
				sp.left = true;
				sp.width = -sp.width;
			}
		} else {
			f = parse_int(f, &sp.width);
		}
		if (*f == '.') {
			f++;
			if (*f == '*') {
				sp.precision = va_arg(ap, int);
				f++;
			} else {
				f = parse_int(f, &sp.precision);
			}
		}
		f = parse_length(&sp, f);
		if (*f && strchr("diuxXo", *f)) {
			v = sp.bytes == 8 ? va_arg(ap, u64) : va_arg(ap, u32);
			v = truncate_to(v, sp.bytes, *f == 'd' || *f == 'i');
		}
		switch (*f) {
		case 'd':
		case 'i':
			put_signed(&o, &sp, (s64)v);
			break;
		case 'u':
			put_number(&o, &sp, v, 10, "");
			break;
		case 'o':
			put_number(&o, &sp, v, 8, sp.alt && v ? "0" : "");
			break;
		case 'X':
			sp.upper = true; /* fall through */
			__attribute__((fallthrough));
		case 'x':
			put_number(&o, &sp, v, 16, !sp.alt || !v ? "" : sp.upper ? "0X" : "0x");
			break;
		case 'p':
			put_number(&o, &sp, (unsigned long)va_arg(ap, void *), 16, "0x");
			break;
		case 's':
			put_string(&o, &sp, va_arg(ap, const char *));
			break;
		case 'c':
			c = (char)va_arg(ap, int);
			put_text(&o, &sp, &c, 1);
			break;
		case '%':
			put(&o, '%');
			break;
		case '\0': /* a lone % at the end */
			f--;
			break;
		default: /* unknown: show it */
			put(&o, '%');
			put(&o, *f);
		}
	}
	if (size)
		buf[o.n < size ? o.n : size - 1] = '\0';
	return (int)o.n;
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

int vscnprintf(char *buf, size_t size, const char *fmt, va_list ap)
{
	int n = vsnprintf(buf, size, fmt, ap);

	if (size == 0)
		return 0;
	return (size_t)n < size ? n : (int)size - 1;
}

int scnprintf(char *buf, size_t size, const char *fmt, ...)
{
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vscnprintf(buf, size, fmt, ap);
	va_end(ap);
	return n;
}
