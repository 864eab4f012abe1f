/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Internal interface of core/config: config.c reads lines and headings; each kind of section supplies its
 * keys and a function that sets their values. Only files in core/config include this header.
 */
#ifndef SF_CORE_CONFIG_SECTION_H
#define SF_CORE_CONFIG_SECTION_H

#include "config.h"

#define SF_CONFIG_BLANKS " \t\r\v\f"

/* Where values are stored. vm and schedule are set by the heading of a named section. */
struct sf_config_at {
	struct sf_config *config;
	struct sf_vm_config *vm;
	struct sf_schedule_config *schedule;
	int line; /* of the heading */
};

struct sf_config_section {
	const char *word; /* "lvm" of [lvm], "vm" of [vm NAME] */
	/* Creates the named object; NULL if the section has no name. */
	int (*open)(struct sf_config_at *at, const char *name, struct sf_err *err);
	const char *(*key)(unsigned i); /* key names by index, at most 32; NULL after the last */
	unsigned repeatable;            /* bit mask of keys that may occur more than once */
	int (*set)(const struct sf_config_at *at, unsigned key, const char *value, struct sf_err *err);
};

extern const struct sf_config_section sf_config_of_snapfs, sf_config_of_vm, sf_config_of_lvm,
	sf_config_of_xen, sf_config_of_schedule;

/* Sets the defaults of [lvm] and [xen]. */
void sf_config_init_backends(struct sf_config *config);

/* NULL if there is no VM of that name. */
struct sf_vm_config *sf_config_find_vm(const struct sf_config *config, const char *name);
/* Appends a VM with the default policy as read so far. */
int sf_config_append_vm(struct sf_config *config, const char *name, struct sf_vm_config **ret,
			struct sf_err *err);
/*
 * Parses "DISK, DISK". anchored: relative paths start at the working directory; otherwise they are refused.
 */
int sf_config_append_disks(struct sf_vm_config *vm, const char *list, bool anchored, struct sf_err *err);

/* Checks rules that involve several keys. -EINVAL with "FILE:LINE: ..." of an invalid schedule's heading. */
int sf_config_check_schedules(const struct sf_config *config, const char *file, struct sf_err *err);
void sf_config_free_schedules(struct sf_config *config);

/* Strips leading and trailing blanks in place. */
char *sf_config_strip(char *text);

/* Parsers of values; -EINVAL with the reason. sf_config_number() stores the number times unit. */
int sf_config_bool(const char *value, bool *ret, struct sf_err *err);
int sf_config_number(const char *value, uint64_t least, uint64_t most, uint64_t unit, uint64_t *ret,
		     struct sf_err *err);
int sf_config_text(const char *value, char *buf, size_t size, struct sf_err *err);
int sf_config_path(const char *value, char *buf, size_t size, struct sf_err *err);
int sf_config_zone(const char *value, char buf[static SF_ZONE_MAX], struct sf_err *err);

/*
 * Parses a hook's command into argv, as one allocation. Words are separated by blanks. "..." protects blanks;
 * a backslash quotes the next character, even inside "...". Nothing else is special, but a ' outside "..." is
 * refused because it looks special. The first word must be an absolute path.
 */
int sf_config_command(const char *value, char ***ret, struct sf_err *err);

#endif
