/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Reads the header of a file of RAM that xl saved. Such a file is struct sf_xl_header in the host's byte
 * order, the domain's configuration as JSON with a NUL, and libxl's stream. Sources: xl.h and
 * xl_saverestore.c of tools/xl in Xen 4.17.
 */
#ifndef SF_BACKENDS_XEN_SAVED_FILE_H
#define SF_BACKENDS_XEN_SAVED_FILE_H

#include "base/names.h"

#include <stdint.h>

struct sf_err;

#define SF_XL_MAGIC      "Xen saved domain, xl format\n \0 \r" /* exactly 32 bytes, without a NUL */
#define SF_XL_BYTE_ORDER 0x01020304U
/* Mandatory flags: the configuration is JSON; libxl's stream has version 2. */
#define SF_XL_JSON      (1U << 0)
#define SF_XL_STREAM_V2 (1U << 1)

struct sf_xl_header {
	char magic[32];
	uint32_t byte_order;
	uint32_t mandatory, optional;
	uint32_t optional_len; /* of the rest of the header: config_len and as many bytes of configuration */
	uint32_t config_len;
};

/*
 * The name that the domain had when its RAM was saved. fd's offset is neither used nor changed. -EIO: not
 * such a file, or a damaged one. -ENOMEM.
 */
int sf_xl_saved_name(int fd, char ret[static SF_NAME_MAX + 1], struct sf_err *err);

#endif
