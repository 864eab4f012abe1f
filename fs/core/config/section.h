/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Internal interface of core/config: config.c reads lines and headings; each kind of section supplies its
 * keys and a function that sets their values; grammar.c knows quotes, escapes and lists. Only files in
 * core/config include this header.
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
	unsigned lists;                 /* bit mask of keys whose values set() splits by itself */
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

/* --- the grammar: grammar.c --- */

/* Strips leading and trailing blanks in place. */
char *sf_config_strip(char *text);

/*
 * The first of chars in text that neither a backslash nor "..." protects; NULL if there is none. after_blank:
 * only at the beginning or after a blank.
 */
char *sf_config_find(char *text, const char *chars, bool after_blank);

enum sf_config_list {
	SF_CONFIG_ONE,      /* one item: the whole text, with blanks and commas inside */
	SF_CONFIG_COMMAS,   /* separated by commas; may be empty */
	SF_CONFIG_WORDS,    /* separated by blanks; there may be no item */
	SF_CONFIG_PATTERNS, /* separated by commas or blanks; may be empty; protected characters are literal
			     */
};

/*
 * Splits a value into items without their quotes and escapes. Returns a NULL-terminated array of n strings,
 * as one allocation. -EINVAL for an unclosed ", a ' that is not protected, and a backslash before a letter, a
 * digit or the end; -ENOMEM.
 */
int sf_config_split(const char *value, enum sf_config_list list, char ***ret, size_t *ret_n,
		    struct sf_err *err);

/* --- values: value.c --- */

/* -EINVAL with the reason. sf_config_number() stores the number times unit. */
int sf_config_bool(const char *value, bool *ret, struct sf_err *err);
int sf_config_number(const char *value, uint64_t least, uint64_t most, uint64_t unit, uint64_t *ret,
		     struct sf_err *err);
/* Parses a duration, see calendar/duration.h; a bare number counts seconds. Bounds in seconds. */
int sf_config_seconds(const char *value, uint64_t least, uint64_t most, uint64_t *ret_ms, struct sf_err *err);
int sf_config_text(const char *value, char *buf, size_t size, struct sf_err *err);
int sf_config_path(const char *value, char *buf, size_t size, struct sf_err *err);
int sf_config_zone(const char *value, char buf[static SF_ZONE_MAX], struct sf_err *err);

/* Parses a hook's command into argv, as one allocation. The first word must be an absolute path. */
int sf_config_command(const char *value, char ***ret, struct sf_err *err);

#endif
