/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "names.h"

#include "err.h"

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

/*
 * Returns the length of the UTF-8 sequence at s and its code point in *ret. Returns 0 if it is invalid, which
 * includes overlong forms, surrogates and values above U+10FFFF. Source: RFC 3629.
 */
static size_t utf8_next(const unsigned char *s, uint32_t *ret)
{
	static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
	size_t len = s[0] < 0x80         ? 1
		     : (s[0] >> 5) == 6  ? 2
		     : (s[0] >> 4) == 14 ? 3
		     : (s[0] >> 3) == 30 ? 4
					 : 0;
	uint32_t point = len == 1 ? s[0] : len == 2 ? s[0] & 0x1fU : len == 3 ? s[0] & 0x0fU : s[0] & 0x07U;

	for (size_t i = 1; i < len; i++) {
		if ((s[i] & 0xc0) != 0x80)
			return 0;
		point = point << 6 | (s[i] & 0x3fU);
	}
	if (len == 0 || point < least[len] || (point >= 0xd800 && point <= 0xdfff) || point > 0x10ffff)
		return 0;
	*ret = point;
	return len;
}

static bool is_control(uint32_t point)
{
	return point < 0x20 || (point >= 0x7f && point <= 0x9f);
}

size_t sf_char_len(const char *at, bool *ret_safe)
{
	uint32_t point = 0;
	size_t len = utf8_next((const unsigned char *)at, &point);

	*ret_safe = len > 0 && !is_control(point);
	return len > 0 ? len : 1;
}

void sf_defuse(char *text)
{
	char *to = text;
	size_t len;
	bool safe;

	for (const char *at = text; *at; at += len) {
		len = sf_char_len(at, &safe);
		if (safe)
			memmove(to, at, len);
		else
			*to = '?';
		to += safe ? len : 1;
	}
	*to = '\0';
}

int sf_name_check(const char *name, struct sf_err *err)
{
	const unsigned char *at = (const unsigned char *)name;

	if (!*name)
		return sf_fail(err, -EINVAL, "the name is empty");
	if (strlen(name) > SF_NAME_MAX)
		return sf_fail(err, -ENAMETOOLONG, "the name is longer than %d bytes", SF_NAME_MAX);
	if (*name == '.' || *name == '-')
		return sf_fail(err, -EINVAL, "the name starts with '%c'", *name);
	while (*at) {
		uint32_t point;
		size_t len = utf8_next(at, &point);

		if (len == 0)
			return sf_fail(err, -EINVAL, "the name is not valid UTF-8");
		if (point == '/')
			return sf_fail(err, -EINVAL, "the name contains '/'");
		if (is_control(point))
			return sf_fail(err, -EINVAL, "the name contains a control character");
		at += len;
	}
	return 0;
}

int sf_description_check(const char *text, struct sf_err *err)
{
	const unsigned char *at = (const unsigned char *)text;

	if (strlen(text) > SF_DESCRIPTION_MAX)
		return sf_fail(err, -E2BIG, "the description is longer than %d bytes", SF_DESCRIPTION_MAX);
	while (*at) {
		uint32_t point;
		size_t len = utf8_next(at, &point);

		if (len == 0)
			return sf_fail(err, -EINVAL, "the description is not valid UTF-8");
		if (is_control(point) && point != '\n' && point != '\t')
			return sf_fail(err, -EINVAL, "the description contains a control character");
		at += len;
	}
	return 0;
}

int sf_vdev_check(const char *vdev, struct sf_err *err)
{
	size_t len = strspn(vdev, "abcdefghijklmnopqrstuvwxyz0123456789");

	if (len == 0 || len > SF_VDEV_MAX || vdev[len])
		return sf_fail(err, -EINVAL, "a disk's name must be 1-%d characters of a-z and 0-9",
			       SF_VDEV_MAX);
	return 0;
}

void sf_disk_file_name(size_t index, const char *vdev, char name[static SF_DISK_FILE])
{
	if (index == 0)
		(void)snprintf(name, SF_DISK_FILE, "disk.img");
	else
		(void)snprintf(name, SF_DISK_FILE, "disk-%.*s.img", SF_VDEV_MAX, vdev);
}

void sf_vdev_name(size_t index, char vdev[static SF_VDEV_MAX + 1])
{
	if (index < 26)
		(void)snprintf(vdev, SF_VDEV_MAX + 1, "vd%c", (char)('a' + index));
	else
		(void)snprintf(vdev, SF_VDEV_MAX + 1, "vd%c%c", (char)('a' + index / 26 - 1),
			       (char)('a' + index % 26));
}
