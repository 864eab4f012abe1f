/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Reads the configuration file. inih splits lines into keys and values and strips comments. It silently cuts
 * lines at 199 bytes and section names at 49, and takes an indented line for a continuation. Lines therefore
 * come from our own reader, which refuses long ones, strips indentation and reads section headings itself.
 */
#include "section.h"

#include "base/cleanup.h"
#include "base/durable.h"
#include "base/err.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <ini.h>

static const struct sf_config_section *const sections[] = {
	&sf_config_of_snapfs, &sf_config_of_vm, &sf_config_of_lvm, &sf_config_of_xen, &sf_config_of_schedule};
#define NSECTIONS (sizeof(sections) / sizeof(sections[0]))

struct parse {
	struct sf_config_at into;
	const char *at, *end;
	int line;
	size_t section;           /* index, or NSECTIONS before the first heading */
	unsigned seen[NSECTIONS]; /* bit masks of keys */
	int rc;
	struct sf_err *err;
};

void sf_config_init(struct sf_config *config)
{
	memset(config, 0, sizeof(*config));
	(void)snprintf(config->state_dir, sizeof(config->state_dir), "%s", SF_CONFIG_DEFAULT_STATE);
	(void)snprintf(config->hypervisor, sizeof(config->hypervisor), "auto");
	config->state_reserve_bytes = SF_CONFIG_DEFAULT_RESERVE;
	config->policy = (struct sf_policy){
		.memory = true, .live = true, .pause_deadline_ms = 60 * 1000, .max_snapshots = 512};
	sf_config_init_backends(config);
}

void sf_config_fini(struct sf_config *config)
{
	for (size_t i = 0; i < config->nvms; i++)
		free(config->vms[i].disks);
	free(config->vms);
	config->vms = NULL;
	config->nvms = 0;
	sf_config_free_schedules(config);
}

static int use_line(struct parse *parse, const char *name, const char *value)
{
	const struct sf_config_section *section;
	unsigned key = 0;
	int rc;

	if (parse->section == NSECTIONS)
		return sf_fail(parse->err, -EINVAL, "'%s' precedes the first section", name);
	section = sections[parse->section];
	while (section->key(key) && strcmp(section->key(key), name) != 0)
		key++;
	if (!section->key(key))
		return sf_fail(parse->err, -EINVAL, "unknown key '%s'", name);
	if (parse->seen[parse->section] & ~section->repeatable & 1U << key)
		return sf_fail(parse->err, -EINVAL, "'%s' appears twice", name);
	parse->seen[parse->section] |= 1U << key;
	rc = section->set(&parse->into, key, value, parse->err);
	return rc < 0 ? sf_wrap(parse->err, rc, "%s", name) : 0;
}

/* inih's callback: 0 means failure. */
static int handle_line(void *arg, const char *section, const char *name, const char *value)
{
	struct parse *parse = arg;

	(void)section;
	if (parse->rc == 0)
		parse->rc = use_line(parse, name, value);
	return parse->rc == 0;
}

/*
 * The section for "WORD" or "WORD NAME", NSECTIONS if there is none. *ret_name is empty if there is no name.
 */
static size_t find_section(char *heading, char **ret_name)
{
	size_t len = strcspn(heading, SF_CONFIG_BLANKS);

	*ret_name = sf_config_strip(heading + len);
	for (size_t i = 0; i < NSECTIONS; i++)
		if (strlen(sections[i]->word) == len && strncmp(heading, sections[i]->word, len) == 0 &&
		    !sections[i]->open == !**ret_name)
			return i;
	return NSECTIONS;
}

static int open_section(struct parse *parse, char *line)
{
	char *end = strchr(line, ']');
	char *heading, *name;
	size_t section;

	if (!end || (end[1] && !strchr(SF_CONFIG_BLANKS ";#", end[1])) ||
	    !strchr(";#", end[1 + strspn(end + 1, SF_CONFIG_BLANKS)]))
		return sf_fail(parse->err, -EINVAL, "not a section: %s", line);
	*end = '\0';
	heading = sf_config_strip(line + 1);
	section = find_section(heading, &name);
	if (section == NSECTIONS)
		return sf_fail(parse->err, -EINVAL, "unknown section [%s]", heading);
	parse->section = section;
	if (!sections[section]->open)
		return 0;
	parse->seen[section] = 0;
	parse->into.line = parse->line;
	return sections[section]->open(&parse->into, name, parse->err);
}

/*
 * Line reader for inih, with the interface of fgets(3): returns the next line without its indentation. A
 * heading is returned as an empty line.
 */
static char *next_line(char *buf, int size, void *arg)
{
	struct parse *parse = arg;
	const char *newline = memchr(parse->at, '\n', (size_t)(parse->end - parse->at));
	const char *stop = newline ? newline : parse->end;
	size_t len;

	if (parse->rc < 0 || parse->at == parse->end)
		return NULL;
	parse->line++;
	while (parse->at < stop && *parse->at && strchr(SF_CONFIG_BLANKS, *parse->at))
		parse->at++;
	len = (size_t)(stop - parse->at);
	if (len + 2 > (size_t)size)
		parse->rc = sf_fail(parse->err, -EINVAL, "a line is longer than %d bytes", size - 2);
	else if (memchr(parse->at, '\0', len))
		parse->rc = sf_fail(parse->err, -EINVAL, "a NUL byte");
	if (parse->rc < 0)
		return NULL;
	memcpy(buf, parse->at, len);
	buf[len] = '\0';
	parse->at = newline ? newline + 1 : parse->end;
	if (*buf == '[') {
		parse->rc = open_section(parse, buf);
		*buf = '\0';
	}
	(void)strcat(buf, "\n");
	return buf;
}

int sf_config_parse(struct sf_config *config, const char *name, const char *text, size_t len,
		    struct sf_err *err)
{
	static const char bom[] = "\xef\xbb\xbf";
	struct parse parse = {
		.into = {.config = config}, .at = text, .end = text + len, .section = NSECTIONS, .err = err};
	int bad_line;

	if (len > SF_CONFIG_BYTES_MAX)
		return sf_fail(err, -EFBIG, "%s: larger than %d bytes", name, SF_CONFIG_BYTES_MAX);
	if (len >= strlen(bom) && memcmp(text, bom, strlen(bom)) == 0)
		parse.at += strlen(bom);
	bad_line = ini_parse_stream(next_line, &parse, handle_line, &parse);
	if (bad_line < 0)
		return sf_fail(err, -ENOMEM, "%s: out of memory", name);
	if (bad_line > 0 && (parse.rc == 0 || bad_line < parse.line))
		return sf_fail(err, -EINVAL, "%s:%d: neither a [section] nor KEY = VALUE", name, bad_line);
	if (parse.rc < 0)
		return sf_wrap(err, parse.rc, "%s:%d", name, parse.line);
	return sf_config_check_schedules(config, name, err);
}

int sf_config_load(struct sf_config *config, const char *path, struct sf_err *err)
{
	auto_free char *text = NULL;
	size_t len;
	int rc = sf_durable_read(AT_FDCWD, path, SF_CONFIG_BYTES_MAX, &text, &len, err);

	if (rc < 0)
		return rc;
	return sf_config_parse(config, path, text, len, err);
}
