/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The grammar of lines and values, the same for all sections: "..." protects blanks, commas, # and ;, and a
 * backslash protects the next character, also inside "...". snapfs.conf(5) describes it.
 */
#include "section.h"

#include "base/cleanup.h"
#include "base/err.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* What separates items, by enum sf_config_list. */
static const char *const separators[] = {
	[SF_CONFIG_ONE] = "",
	[SF_CONFIG_COMMAS] = ",",
	[SF_CONFIG_WORDS] = SF_CONFIG_BLANKS,
	[SF_CONFIG_PATTERNS] = ", \t\r\v\f",
};

static bool is_blank(char c)
{
	return c && strchr(SF_CONFIG_BLANKS, c);
}

char *sf_config_strip(char *text)
{
	size_t len;

	text += strspn(text, SF_CONFIG_BLANKS);
	for (len = strlen(text); len > 0 && is_blank(text[len - 1]); len--)
		text[len - 1] = '\0';
	return text;
}

char *sf_config_find(char *text, const char *chars, bool after_blank)
{
	bool quoted = false, blank = true;

	for (; *text; text++) {
		if (!quoted && (blank || !after_blank) && strchr(chars, *text))
			return text;
		if (*text == '"')
			quoted = !quoted;
		blank = is_blank(*text);
		if (*text == '\\' && text[1])
			text++;
	}
	return NULL;
}

/* Checks a protected character. */
static int check_escape(char c, struct sf_err *err)
{
	if (!c)
		return sf_fail(err, -EINVAL, "a backslash at the end");
	if (isalnum((unsigned char)c))
		return sf_fail(err, -EINVAL,
			       "a backslash before '%c' has no meaning: write \\\\ for a backslash", c);
	return 0;
}

/*
 * Copies one item from *at to *to with a NUL, without unprotected blanks at its end; advances both past it.
 * In a pattern, a protected character that is special to fnmatch(3) keeps a backslash.
 */
static int take_item(const char **at, enum sf_config_list list, char **to, struct sf_err *err)
{
	char *end = *to; /* behind the last character that is not a blank */
	bool quoted = false;
	int rc;

	for (; **at && (quoted || !strchr(separators[list], **at)); (*at)++) {
		bool escaped = **at == '\\';

		if (**at == '"') {
			quoted = !quoted;
			end = *to;
			continue;
		}
		if (**at == '\'' && !quoted)
			return sf_fail(err, -EINVAL, "a ' has no meaning here: use \" or \\'");
		if (escaped) {
			rc = check_escape(*++*at, err);
			if (rc < 0)
				return rc;
		}
		if (list == SF_CONFIG_PATTERNS && (quoted || escaped) && strchr("*?[]!^-\\", **at))
			*(*to)++ = '\\';
		*(*to)++ = **at;
		if (quoted || escaped || !is_blank(**at))
			end = *to;
	}
	if (quoted)
		return sf_fail(err, -EINVAL, "unclosed \"");
	*end = '\0';
	*to = end + 1;
	return 0;
}

int sf_config_split(const char *value, enum sf_config_list list, char ***ret, size_t *ret_n,
		    struct sf_err *err)
{
	/* An item has at least a separator before it, except for the first; a character needs two bytes. */
	size_t len = strlen(value), room = (len + 2) * sizeof(char *);
	auto_free char **items = calloc(1, room + 2 * len + 1 + len + 1);
	char *to = (char *)items + room;
	size_t n = 0;
	bool more;
	int rc;

	if (!items)
		return sf_fail(err, -ENOMEM, "out of memory");
	value += strspn(value, SF_CONFIG_BLANKS);
	for (more = *value || list != SF_CONFIG_WORDS; more; more = more || *value) {
		items[n++] = to;
		rc = take_item(&value, list, &to, err);
		if (rc < 0)
			return rc;
		value += strspn(value, SF_CONFIG_BLANKS);
		more = list != SF_CONFIG_WORDS && *value == ',';
		value += more;
		value += strspn(value, SF_CONFIG_BLANKS);
	}
	*ret = sf_take_ptr(&items);
	*ret_n = n;
	return 0;
}
