/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "section.h"

#include "core/calendar/duration.h"

#include "base/cleanup.h"
#include "base/err.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

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

int sf_config_zone(const char *value, char buf[static SF_ZONE_MAX], struct sf_err *err)
{
	int rc = sf_zone_check(value, err);

	return rc < 0 ? rc : sf_config_text(value, buf, SF_ZONE_MAX, err);
}

int sf_config_seconds(const char *value, uint64_t least, uint64_t most, uint64_t *ret_ms, struct sf_err *err)
{
	size_t digits = strspn(value, "0123456789");
	struct sf_duration duration;
	uint64_t seconds;
	int rc;

	if (digits == 0 || !value[digits])
		return sf_config_number(value, least, most, 1000, ret_ms, err);
	rc = sf_duration_parse(value, &duration, err);
	if (rc < 0)
		return rc;
	if (!sf_duration_seconds(&duration, &seconds) || seconds < least || seconds > most)
		return sf_fail(err, -EINVAL, "'%s' is not a time from %llu to %llu seconds", value,
			       (unsigned long long)least, (unsigned long long)most);
	*ret_ms = seconds * 1000;
	return 0;
}

int sf_config_command(const char *value, char ***ret, struct sf_err *err)
{
	auto_free char **argv = NULL;
	size_t n;
	int rc = sf_config_split(value, SF_CONFIG_WORDS, &argv, &n, err);

	if (rc < 0)
		return rc;
	if (n > SF_HOOK_WORDS_MAX)
		return sf_fail(err, -E2BIG, "more than %d words", SF_HOOK_WORDS_MAX);
	if (n == 0 || *argv[0] != '/')
		return sf_fail(err, -EINVAL, "'%s' is not an absolute path", n > 0 ? argv[0] : "");
	*ret = sf_take_ptr(&argv);
	return 0;
}
