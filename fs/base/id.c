/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "id.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

struct sf_id sf_id_new(void)
{
	struct sf_id id;
	size_t got = 0;

	while (got < sizeof(id.bytes)) {
		ssize_t n = getrandom(id.bytes + got, sizeof(id.bytes) - got, 0);

		if (n > 0)
			got += (size_t)n;
		else if (errno != EINTR)
			abort(); /* a kernel without getrandom cannot run this program */
	}
	return id;
}

void sf_id_format(const struct sf_id *id, char text[static SF_ID_TEXT])
{
	for (size_t i = 0; i < sizeof(id->bytes); i++)
		(void)snprintf(text + 2 * i, 3, "%02x", id->bytes[i]);
}

static int digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return -1;
}

int sf_id_parse(const char *text, struct sf_id *ret)
{
	struct sf_id id;

	if (strlen(text) != SF_ID_TEXT - 1)
		return -EINVAL;
	for (size_t i = 0; i < sizeof(id.bytes); i++) {
		int high = digit(text[2 * i]), low = digit(text[2 * i + 1]);

		if (high < 0 || low < 0)
			return -EINVAL;
		id.bytes[i] = (uint8_t)(high << 4 | low);
	}
	*ret = id;
	return 0;
}

bool sf_id_equal(const struct sf_id *a, const struct sf_id *b)
{
	return memcmp(a, b, sizeof(*a)) == 0;
}
