/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "print.h"

#include "base/cleanup.h"
#include "base/names.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

/* Prints len bytes of text, with a '?' for each control character. */
static void print_bytes(FILE *out, const char *text, size_t len)
{
	for (const char *end = text + len; text < end; text++) {
		(void)fputc(sf_is_control(text) ? '?' : *text, out);
		text += sf_is_control(text) && (unsigned char)*text == 0xc2; /* both of its bytes */
	}
}

static size_t newlines_at_end(const char *text)
{
	size_t len = strlen(text), n = 0;

	while (n < len && text[len - 1 - n] == '\n')
		n++;
	return n;
}

void sf_print(FILE *out, const char *fmt, ...)
{
	size_t before = strspn(fmt, "\n"), after = newlines_at_end(fmt + before), len;
	auto_free char *text = NULL;
	va_list args;
	int n;

	va_start(args, fmt);
	n = vasprintf(&text, fmt, args);
	va_end(args);
	if (n < 0) {
		text = NULL; /* undefined after a failure, see asprintf(3) */
		return;
	}
	len = strlen(text);
	(void)fwrite(text, 1, before, out);
	print_bytes(out, text + before, len - before - after);
	(void)fwrite(text + len - after, 1, after, out);
}

void sf_print_text(FILE *out, const char *text)
{
	for (size_t len; *text; text += len) {
		len = strcspn(text, "\n");
		print_bytes(out, text, len);
		for (; text[len] == '\n'; len++)
			(void)fputc('\n', out);
	}
}

void sf_print_json(FILE *out, const char *json)
{
	for (; *json; json++) {
		bool pair = (unsigned char)*json == 0xc2;

		if (*json == '\n' || !sf_is_control(json)) {
			(void)fputc(*json, out);
			continue;
		}
		(void)fprintf(out, "\\u%04x",
			      (unsigned char)json[pair]); /* C2 80 to C2 9F are U+0080 to U+009F */
		json += pair;
	}
}

void sf_print_control(FILE *out, const char *sequence)
{
	(void)fputs(sequence, out);
}
