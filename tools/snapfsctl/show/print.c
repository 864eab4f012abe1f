/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "print.h"

#include "base/cleanup.h"
#include "base/names.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

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
	text[strlen(text) - after] = '\0';
	sf_defuse(text + before);
	len = strlen(text);
	memset(text + len, '\n', after); /* there is room: the text did not grow */
	(void)fwrite(text, 1, len + after, out);
}

void sf_print_text(FILE *out, const char *text)
{
	while (*text) {
		int len = (int)strcspn(text, "\n");
		bool ends = text[len] == '\n';

		sf_print(out, ends ? "%.*s\n" : "%.*s", len, text);
		text += len + ends;
	}
}

void sf_print_json(FILE *out, const char *json)
{
	size_t len;
	bool safe;

	for (; *json; json += len) {
		len = sf_char_len(json, &safe);
		if (safe || *json == '\n')
			(void)fwrite(json, 1, len, out);
		else /* C2 80 to C2 9F are U+0080 to U+009F */
			(void)fprintf(out, "\\u%04x", (unsigned char)json[len - 1]);
	}
}

void sf_print_control(FILE *out, const char *sequence)
{
	(void)fputs(sequence, out);
}
