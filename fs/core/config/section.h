/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the files of the configuration share: config.c reads lines and headings, and each kind of section is a
 * table of its keys and what to do with their values. Seen by config*.c only.
 */
#ifndef SF_CORE_CONFIG_SECTION_H
#define SF_CORE_CONFIG_SECTION_H

#include "config.h"

#define SF_CONFIG_BLANKS " \t\r\v\f"

/* Where values go; the one that a heading has named, in sections that have names. */
struct sf_config_at {
	struct sf_config *config;
	struct sf_vm_config *vm;
	struct sf_schedule_config *schedule;
	int line; /* of the heading */
};

struct sf_config_section {
	const char *word; /* "lvm" of [lvm], "vm" of [vm NAME] */
	/* Makes what the name stands for; NULL: the section has no name. */
	int (*open)(struct sf_config_at *at, const char *name, struct sf_err *err);
	const char *(*key)(unsigned i); /* names in order, at most 32; NULL behind the last */
	unsigned repeatable;            /* as bits: keys that may be there twice */
	int (*set)(const struct sf_config_at *at, unsigned key, const char *value, struct sf_err *err);
};

extern const struct sf_config_section sf_config_of_snapfs, sf_config_of_vm, sf_config_of_lvm,
	sf_config_of_xen, sf_config_of_schedule;

/* Defaults of [lvm] and [xen]. */
void sf_config_init_backends(struct sf_config *config);

/* NULL when there is none. */
struct sf_vm_config *sf_config_find_vm(const struct sf_config *config, const char *name);
/* With the policy that is the default so far. */
int sf_config_append_vm(struct sf_config *config, const char *name, struct sf_vm_config **ret,
			struct sf_err *err);
/* "DISK, DISK"; anchored: relative paths count from the working directory, and are refused otherwise. */
int sf_config_append_disks(struct sf_vm_config *vm, const char *list, bool anchored, struct sf_err *err);

/* What can only be said of whole schedules: -EINVAL with "FILE:LINE: ..." of the heading of a bad one. */
int sf_config_check_schedules(const struct sf_config *config, const char *file, struct sf_err *err);
void sf_config_free_schedules(struct sf_config *config);

/* Text without the blanks around it, in place. */
char *sf_config_strip(char *text);

/* Values; -EINVAL with what is wrong. Numbers are kept in another unit than they are written in. */
int sf_config_bool(const char *value, bool *ret, struct sf_err *err);
int sf_config_number(const char *value, uint64_t least, uint64_t most, uint64_t unit, uint64_t *ret,
		     struct sf_err *err);
int sf_config_text(const char *value, char *buf, size_t size, struct sf_err *err);
int sf_config_path(const char *value, char *buf, size_t size, struct sf_err *err);
int sf_config_zone(const char *value, char buf[static SF_ZONE_MAX], struct sf_err *err);

/*
 * The command of a hook as argv, in one piece of memory: words between blanks; "..." holds blanks, and a
 * backslash takes the next character as it is, within quotes too. Nothing else has a meaning; a ' outside of
 * "..." is refused, since it seems to have one. The first word is an absolute path.
 */
int sf_config_command(const char *value, char ***ret, struct sf_err *err);

#endif
