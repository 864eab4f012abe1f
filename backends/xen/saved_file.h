/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The header of a file of saved RAM as xl writes it: this struct in the host's byte order, the domain's
 * configuration as JSON with its NUL, libxl's stream. Source: xl's xl.h and xl_saverestore.c (tools/xl of
 * Xen 4.17).
 */
#ifndef SF_BACKENDS_XEN_SAVED_FILE_H
#define SF_BACKENDS_XEN_SAVED_FILE_H

#include "base/names.h"

#include <stdint.h>

struct sf_err;

#define SF_XL_MAGIC      "Xen saved domain, xl format\n \0 \r" /* all of 32 bytes, without the NUL */
#define SF_XL_BYTE_ORDER 0x01020304U
/* Mandatory flags: the configuration is JSON; the stream is libxl's version 2. */
#define SF_XL_JSON      (1U << 0)
#define SF_XL_STREAM_V2 (1U << 1)

struct sf_xl_header {
	char magic[32];
	uint32_t byte_order;
	uint32_t mandatory, optional;
	uint32_t optional_len; /* of what follows: config_len, and as many bytes */
	uint32_t config_len;
};

/* What the domain was called when its RAM was saved; fd's offset is not used. -EIO for what is no such file.
 */
int sf_xl_saved_name(int fd, char ret[static SF_NAME_MAX + 1], struct sf_err *err);

#endif
