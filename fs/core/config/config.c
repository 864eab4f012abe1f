/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Reads the configuration file: lines, headings, and keys with their values. */
#include "section.h"

#include "base/cleanup.h"
#include "base/durable.h"
#include "base/err.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct sf_config_section *const sections[] = {
	&sf_config_of_snapfs, &sf_config_of_vm, &sf_config_of_lvm, &sf_config_of_xen, &sf_config_of_schedule};
#define NSECTIONS (sizeof(sections) / sizeof(sections[0]))

struct parse {
	struct sf_config_at into;
	int line;
	size_t section;           /* index, or NSECTIONS before the first heading */
	unsigned seen[NSECTIONS]; /* bit masks of keys */
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

/* Sets a key of a section. Only lists are passed on with their quotes. */
static int set_key(struct parse *parse, const struct sf_config_section *section, unsigned key,
		   const char *value)
{
	auto_free char **text = NULL;
	size_t n;
	int rc;

	if (section->lists & 1U << key)
		return section->set(&parse->into, key, value, parse->err);
	rc = sf_config_split(value, SF_CONFIG_ONE, &text, &n, parse->err);
	return rc < 0 ? rc : section->set(&parse->into, key, text[0], parse->err);
}

static int use_key(struct parse *parse, const char *name, const char *value)
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
	rc = set_key(parse, section, key, value);
	return rc < 0 ? sf_wrap(parse->err, rc, "%s", name) : 0;
}

/*
 * The section for "WORD" or "WORD NAME", NSECTIONS if there is none. *ret_name is empty if there is no name.
 */
static size_t find_section(const char *heading, const char **ret_name)
{
	size_t len = strcspn(heading, SF_CONFIG_BLANKS);

	*ret_name = heading + len + strspn(heading + len, SF_CONFIG_BLANKS);
	for (size_t i = 0; i < NSECTIONS; i++)
		if (strlen(sections[i]->word) == len && strncmp(heading, sections[i]->word, len) == 0 &&
		    !sections[i]->open == !**ret_name)
			return i;
	return NSECTIONS;
}

/* Opens the section of "WORD NAME". */
static int open_section(struct parse *parse, const char *heading)
{
	auto_free char **name = NULL;
	const char *quoted_name;
	size_t section = find_section(heading, &quoted_name), n;
	int rc;

	if (section == NSECTIONS)
		return sf_fail(parse->err, -EINVAL, "unknown section [%s]", heading);
	parse->section = section;
	if (!sections[section]->open)
		return 0;
	parse->seen[section] = 0;
	parse->into.line = parse->line;
	rc = sf_config_split(quoted_name, SF_CONFIG_ONE, &name, &n, parse->err);
	if (rc < 0)
		return sf_wrap(parse->err, rc, "[%s]", heading);
	return sections[section]->open(&parse->into, name[0], parse->err);
}

static int use_heading(struct parse *parse, char *line)
{
	char *end = sf_config_find(line, "]", false);

	if (!end || end[1])
		return sf_fail(parse->err, -EINVAL,
			       "not a section: %s (close every \", and quote names that contain #, ; or ])",
			       line);
	*end = '\0';
	return open_section(parse, sf_config_strip(line + 1));
}

/* Uses one line without its newline, and changes it. */
static int use_line(struct parse *parse, char *line)
{
	char *comment = sf_config_find(line, "#;", true), *value;

	if (comment)
		*comment = '\0';
	line = sf_config_strip(line);
	if (!*line)
		return 0;
	if (*line == '[')
		return use_heading(parse, line);
	value = strpbrk(line, "=:");
	if (!value)
		return sf_fail(parse->err, -EINVAL, "neither a [section] nor KEY = VALUE");
	*value++ = '\0';
	return use_key(parse, sf_config_strip(line), sf_config_strip(value));
}

/* Uses the line from text to the newline, or to the end. */
static int use_bytes(struct parse *parse, const char *text, size_t len)
{
	auto_free char *line = NULL;

	if (len > SF_CONFIG_LINE_MAX)
		return sf_fail(parse->err, -EINVAL, "a line is longer than %d bytes", SF_CONFIG_LINE_MAX);
	if (memchr(text, '\0', len))
		return sf_fail(parse->err, -EINVAL, "a NUL byte");
	line = strndup(text, len);
	return line ? use_line(parse, line) : sf_fail(parse->err, -ENOMEM, "out of memory");
}

int sf_config_parse(struct sf_config *config, const char *name, const char *text, size_t len,
		    struct sf_err *err)
{
	static const char bom[] = "\xef\xbb\xbf";
	struct parse parse = {.into = {.config = config}, .section = NSECTIONS, .err = err};
	const char *end = text + len;
	int rc = 0;

	if (len > SF_CONFIG_BYTES_MAX)
		return sf_fail(err, -EFBIG, "%s: larger than %d bytes", name, SF_CONFIG_BYTES_MAX);
	if (len >= strlen(bom) && memcmp(text, bom, strlen(bom)) == 0)
		text += strlen(bom);
	while (rc == 0 && text < end) {
		const char *newline = memchr(text, '\n', (size_t)(end - text));

		parse.line++;
		rc = use_bytes(&parse, text, (size_t)((newline ? newline : end) - text));
		text = newline ? newline + 1 : end;
	}
	if (rc < 0)
		return sf_wrap(err, rc, "%s:%d", name, parse.line);
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
