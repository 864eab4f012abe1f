/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "saved_file.h"

#include "base/cleanup.h"
#include "base/err.h"
#include "base/json.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Configurations have a few KiB; xl did not write anything larger. */
#define CONFIG_MAX (1024 * 1024)

static int check(const struct sf_xl_header *header, struct sf_err *err)
{
	if (memcmp(header->magic, SF_XL_MAGIC, sizeof(header->magic)) != 0 ||
	    header->byte_order != SF_XL_BYTE_ORDER)
		return sf_fail(err, -EIO, "this is not the RAM of a Xen domain as xl saves it");
	if (header->mandatory != (SF_XL_JSON | SF_XL_STREAM_V2))
		return sf_fail(err, -EIO, "the RAM was saved in an unsupported format (flags %#x)",
			       header->mandatory);
	if (header->config_len < 2 || header->config_len > CONFIG_MAX ||
	    header->optional_len < header->config_len + sizeof(header->config_len))
		return sf_fail(err, -EIO, "the RAM's header is damaged: %u bytes of configuration",
			       header->config_len);
	return 0;
}

int sf_xl_saved_name(int fd, char ret[static SF_NAME_MAX + 1], struct sf_err *err)
{
	struct sf_xl_header header = {0};
	auto_json json_t *config = NULL;
	auto_free char *text = NULL;
	int rc = pread(fd, &header, sizeof(header), 0) == (ssize_t)sizeof(header)
			 ? check(&header, err)
			 : sf_fail(err, -EIO, "the RAM's header is incomplete");

	if (rc < 0)
		return rc;
	text = malloc(header.config_len);
	if (!text)
		return sf_fail(err, -ENOMEM, "out of memory");
	if (pread(fd, text, header.config_len, sizeof(header)) != (ssize_t)header.config_len)
		return sf_fail(err, -EIO, "the RAM's configuration is incomplete");
	config = sf_json_parse_object(text, strnlen(text, header.config_len), "the RAM's configuration", err);
	if (!config)
		return -EIO;
	rc = sf_json_string(json_object_get(config, "c_info"), "name", ret, SF_NAME_MAX + 1, err);
	return rc < 0 ? sf_wrap(err, -EIO, "the RAM's configuration") : 0;
}
