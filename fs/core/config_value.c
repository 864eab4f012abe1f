/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config_impl.h"

#include "base/err.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

char *sf_config_strip(char *text)
{
	size_t len;

	text += strspn(text, SF_CONFIG_BLANKS);
	for (len = strlen(text); len > 0 && strchr(SF_CONFIG_BLANKS, text[len - 1]); len--)
		text[len - 1] = '\0';
	return text;
}

int sf_config_bool(const char *value, bool *ret, struct sf_err *err)
{
	if (strcmp(value, "yes") != 0 && strcmp(value, "no") != 0)
		return sf_fail(err, -EINVAL, "'%s' is neither yes nor no", value);
	*ret = *value == 'y';
	return 0;
}

int sf_config_number(const char *value, uint64_t least, uint64_t most, uint64_t unit, uint64_t *ret,
		     struct sf_err *err)
{
	size_t len = strspn(value, "0123456789");
	bool number = len > 0 && len < 10 && !value[len];
	uint64_t n = number ? strtoul(value, NULL, 10) : 0;

	if (!number || n < least || n > most)
		return sf_fail(err, -EINVAL, "'%s' is not a number from %llu to %llu", value,
			       (unsigned long long)least, (unsigned long long)most);
	*ret = n * unit;
	return 0;
}

int sf_config_text(const char *value, char *buf, size_t size, struct sf_err *err)
{
	if (!*value || strlen(value) >= size)
		return sf_fail(err, -EINVAL, "the value is empty or longer than %zu bytes", size - 1);
	memcpy(buf, value, strlen(value) + 1);
	return 0;
}

int sf_config_path(const char *value, char *buf, size_t size, struct sf_err *err)
{
	if (*value != '/')
		return sf_fail(err, -EINVAL, "'%s' is not an absolute path", value);
	return sf_config_text(value, buf, size, err);
}
