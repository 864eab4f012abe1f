/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Temporary directories for tests. They lie under $TMPDIR, so the runner can check that none is left. */
#ifndef SF_TESTS_LIB_TMPDIR_H
#define SF_TESTS_LIB_TMPDIR_H

#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

/*
 * Makes a directory whose name begins with "snapfs-" and name, and stores its path in path. NULL on failure,
 * or if the path does not fit into size.
 */
static inline char *test_tmpdir(char *path, size_t size, const char *name)
{
	const char *parent = getenv("TMPDIR");
	int len = snprintf(path, size, "%s/snapfs-%s-XXXXXX", parent ? parent : "/tmp", name);

	return len > 0 && (size_t)len < size ? mkdtemp(path) : NULL;
}

#endif
