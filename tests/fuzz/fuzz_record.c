/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Fuzzes the parser of meta.json. What is accepted must come out of the formatter unchanged. */
#include "core/state/record.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static char *format(const struct sf_record *record, size_t *ret_len)
{
	char *text = sf_record_format(record, ret_len);

	if (!text)
		abort(); /* an accepted record cannot be written */
	return text;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct sf_record record, again;
	size_t len, again_len;
	char *text, *again_text;

	if (sf_record_parse((const char *)data, size, &record, NULL) < 0)
		return 0;
	text = format(&record, &len);
	if (sf_record_parse(text, len, &again, NULL) < 0)
		abort();
	again_text = format(&again, &again_len);
	if (len != again_len || memcmp(text, again_text, len) != 0)
		abort();
	free(again_text);
	free(text);
	sf_record_fini(&again);
	sf_record_fini(&record);
	return 0;
}
