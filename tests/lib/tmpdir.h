/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Where tests put what they make: under $TMPDIR, so that whoever runs them can see that nothing is left. */
#ifndef SF_TESTS_LIB_TMPDIR_H
#define SF_TESTS_LIB_TMPDIR_H

#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

/*
 * Makes a new directory whose name starts with "snapfs-" and name; NULL on failure, a path that is too long
 * included.
 */
static inline char *test_tmpdir(char *path, size_t size, const char *name)
{
	const char *parent = getenv("TMPDIR");
	int len = snprintf(path, size, "%s/snapfs-%s-XXXXXX", parent ? parent : "/tmp", name);

	return len > 0 && (size_t)len < size ? mkdtemp(path) : NULL;
}

#endif
