/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "notes.h"

#include "base/cleanup.h"
#include "base/err.h"
#include "carry.h"
#include "core/contract/container.h"
#include "place.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static int note_container(int fd, const char *origin, sf_note_fn *fn, void *arg, struct sf_err *err)
{
	char first[SF_CONTAINER_BYTES], text[160];
	ssize_t len = pread(fd, first, sizeof(first), 0);
	const char *format;

	if (len < 0)
		return sf_fail(err, -errno, "read %s: %s", origin, strerror(errno));
	format = sf_container_format(first, (size_t)len);
	if (!format)
		return 0;
	(void)snprintf(text, sizeof(text),
		       "it starts with a %s header: snapshots hold that container, not the disk in it",
		       format);
	fn(arg, text);
	return 0;
}

int sf_file_notes(struct sf_volume *volume, sf_note_fn *fn, void *arg, struct sf_err *err)
{
	auto_fd int fd = sf_file_open_origin(volume->origin, O_RDONLY, err);

	struct sf_err why = {0};
	int rc = fd < 0 ? fd : note_container(fd, volume->origin, fn, arg, err);

	if (rc == 0 && sf_file_check_replaceable(fd, &why) < 0)
		fn(arg, why.text);
	return rc;
}
