/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "thin_map.h"

#include "base/err.h"
#include "core/contract/extents.h"

#include <errno.h>
#include <expat.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SECTOR_BYTES 512
#define PIECE        65536

struct reading {
	XML_Parser parser;
	uint64_t dev_id;
	struct sf_extents *extents;
	uint64_t block_bytes; /* 0 before the superblock */
	bool inside;          /* in the requested device */
	bool found;
	uint64_t mapped_blocks, seen_blocks;
	uint64_t next_block; /* the next range must not begin before it */
	int rc;
	struct sf_err *err;
};

static void refuse(struct reading *reading, int rc)
{
	reading->rc = rc;
	(void)XML_StopParser(reading->parser, XML_FALSE); /* fails when it is already stopping */
}

static bool read_number(const char **attributes, const char *name, uint64_t *ret)
{
	char *end;

	for (; attributes[0]; attributes += 2) {
		if (strcmp(attributes[0], name) != 0)
			continue;
		if (attributes[1][0] < '0' || attributes[1][0] > '9')
			return false;
		errno = 0;
		*ret = strtoull(attributes[1], &end, 10);
		return errno == 0 && *end == '\0';
	}
	return false;
}

static void need_number(struct reading *reading, const char *element, const char **attributes,
			const char *name, uint64_t *ret)
{
	if (reading->rc == 0 && !read_number(attributes, name, ret))
		refuse(reading,
		       sf_fail(reading->err, -EPROTO, "thin_dump: <%s> has no number '%s'", element, name));
}

static void begin_superblock(struct reading *reading, const char **attributes)
{
	uint64_t sectors = 0;

	need_number(reading, "superblock", attributes, "data_block_size", &sectors);
	if (reading->rc == 0 && (sectors == 0 || sectors > UINT32_MAX))
		refuse(reading,
		       sf_fail(reading->err, -EPROTO, "thin_dump: a block of %" PRIu64 " sectors", sectors));
	reading->block_bytes = sectors * SECTOR_BYTES;
}

static void begin_device(struct reading *reading, const char **attributes)
{
	uint64_t id = 0;

	need_number(reading, "device", attributes, "dev_id", &id);
	if (reading->rc < 0 || id != reading->dev_id)
		return;
	if (reading->found)
		refuse(reading,
		       sf_fail(reading->err, -EPROTO, "thin_dump: device %" PRIu64 " is there twice", id));
	need_number(reading, "device", attributes, "mapped_blocks", &reading->mapped_blocks);
	reading->inside = reading->found = true;
}

/* Blocks must be in order and unique, or their count would prove nothing. */
static void add_blocks(struct reading *reading, uint64_t first, uint64_t n)
{
	uint64_t off, len, next;
	int rc;

	if (reading->block_bytes == 0 || __builtin_mul_overflow(first, reading->block_bytes, &off) ||
	    __builtin_mul_overflow(n, reading->block_bytes, &len) ||
	    __builtin_add_overflow(first, n, &next)) {
		refuse(reading, sf_fail(reading->err, -EPROTO, "thin_dump: blocks beyond any device"));
		return;
	}
	if (first < reading->next_block) {
		refuse(reading,
		       sf_fail(reading->err, -EPROTO,
			       "thin_dump: block %" PRIu64 " is out of order or there twice", first));
		return;
	}
	reading->next_block = next;
	reading->seen_blocks += n; /* at most next, so it cannot overflow */
	rc = sf_extents_add(reading->extents, off, len, reading->err);
	if (rc < 0)
		refuse(reading, rc);
}

static void begin_mapping(struct reading *reading, const char *element, const char **attributes, bool range)
{
	uint64_t first = 0, n = 1;

	need_number(reading, element, attributes, range ? "origin_begin" : "origin_block", &first);
	if (range)
		need_number(reading, element, attributes, "length", &n);
	if (reading->rc == 0)
		add_blocks(reading, first, n);
}

static void XMLCALL begin(void *arg, const char *element, const char **attributes)
{
	struct reading *reading = arg;

	if (reading->rc < 0)
		return;
	if (strcmp(element, "superblock") == 0)
		begin_superblock(reading, attributes);
	else if (strcmp(element, "device") == 0)
		begin_device(reading, attributes);
	else if (reading->inside && strcmp(element, "single_mapping") == 0)
		begin_mapping(reading, element, attributes, false);
	else if (reading->inside && strcmp(element, "range_mapping") == 0)
		begin_mapping(reading, element, attributes, true);
}

static void XMLCALL end(void *arg, const char *element)
{
	struct reading *reading = arg;

	if (strcmp(element, "device") == 0)
		reading->inside = false;
}

/* thin_dump prints no DOCTYPE, and entities could expand without limit. */
static void XMLCALL refuse_doctype(void *arg, const char *name, const char *system, const char *public,
				   int internal)
{
	struct reading *reading = arg;

	(void)name, (void)system, (void)public, (void)internal;
	refuse(reading, sf_fail(reading->err, -EPROTO, "thin_dump: a DOCTYPE in its output"));
}

static int parse(struct reading *reading, int fd)
{
	bool last = false;

	while (!last) {
		void *buf = XML_GetBuffer(reading->parser, PIECE);
		ssize_t n;

		if (!buf)
			return sf_fail(reading->err, -ENOMEM, "thin_dump: out of memory");
		do
			n = read(fd, buf, PIECE);
		while (n < 0 && errno == EINTR);
		if (n < 0)
			return sf_fail(reading->err, -errno, "read thin_dump: %s", strerror(errno));
		last = n == 0;
		if (XML_ParseBuffer(reading->parser, (int)n, last) == XML_STATUS_ERROR)
			return reading->rc < 0 ? reading->rc
					       : sf_fail(reading->err, -EPROTO, "thin_dump: line %lu: %s",
							 XML_GetCurrentLineNumber(reading->parser),
							 XML_ErrorString(XML_GetErrorCode(reading->parser)));
	}
	if (!reading->found)
		return sf_fail(reading->err, -EPROTO, "thin_dump: no device %" PRIu64, reading->dev_id);
	if (reading->seen_blocks < reading->mapped_blocks)
		return sf_fail(reading->err, -EPROTO,
			       "thin_dump lists %" PRIu64 " of the device's %" PRIu64 " mapped blocks",
			       reading->seen_blocks, reading->mapped_blocks);
	return 0;
}

int sf_thin_map_read(int fd, uint64_t dev_id, struct sf_extents *ret, struct sf_err *err)
{
	struct sf_extents extents = {.size_bytes = ret->size_bytes};
	struct reading reading = {.dev_id = dev_id, .extents = &extents, .err = err};
	int rc;

	reading.parser = XML_ParserCreate(NULL);
	if (!reading.parser)
		return sf_fail(err, -ENOMEM, "thin_dump: out of memory");
	XML_SetUserData(reading.parser, &reading);
	XML_SetElementHandler(reading.parser, begin, end);
	XML_SetStartDoctypeDeclHandler(reading.parser, refuse_doctype);
	rc = parse(&reading, fd);
	XML_ParserFree(reading.parser);
	if (rc < 0) {
		sf_extents_fini(&extents);
		return rc;
	}
	sf_extents_fini(ret);
	*ret = extents;
	return 0;
}
