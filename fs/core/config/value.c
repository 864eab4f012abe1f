/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "section.h"

#include "base/cleanup.h"
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

int sf_config_zone(const char *value, char buf[static SF_ZONE_MAX], struct sf_err *err)
{
	int rc = sf_zone_check(value, err);

	return rc < 0 ? rc : sf_config_text(value, buf, SF_ZONE_MAX, err);
}

/* Copies one word from *at to *to with a NUL; advances both past it. */
static int take_word(const char **at, char **to, struct sf_err *err)
{
	bool quoted = false;
	const char *from = *at;

	for (; *from && (quoted || !strchr(SF_CONFIG_BLANKS, *from)); from++) {
		if (*from == '"') {
			quoted = !quoted;
			continue;
		}
		if (*from == '\'' && !quoted)
			return sf_fail(err, -EINVAL, "a ' has no meaning here: use \" or \\'");
		if (*from == '\\' && !*++from)
			return sf_fail(err, -EINVAL, "a backslash at the end");
		*(*to)++ = *from;
	}
	if (quoted)
		return sf_fail(err, -EINVAL, "unclosed \"");
	*(*to)++ = '\0';
	*at = from;
	return 0;
}

int sf_config_command(const char *value, char ***ret, struct sf_err *err)
{
	size_t room = (SF_HOOK_WORDS_MAX + 1) * sizeof(char *);
	auto_free char **argv = calloc(1, room + strlen(value) + 1);
	char *to = (char *)argv + room;
	size_t n = 0;
	int rc = 0;

	if (!argv)
		return sf_fail(err, -ENOMEM, "out of memory");
	while (rc == 0 && *(value += strspn(value, SF_CONFIG_BLANKS))) {
		if (n == SF_HOOK_WORDS_MAX)
			return sf_fail(err, -E2BIG, "more than %d words", SF_HOOK_WORDS_MAX);
		argv[n++] = to;
		rc = take_word(&value, &to, err);
	}
	if (rc < 0)
		return rc;
	if (n == 0 || *argv[0] != '/')
		return sf_fail(err, -EINVAL, "'%s' is not an absolute path", n > 0 ? argv[0] : "");
	*ret = sf_take_ptr(&argv);
	return 0;
}
