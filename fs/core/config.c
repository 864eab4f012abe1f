/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * inih splits lines into keys and values and strips comments. It cuts lines at 199 bytes and section names at
 * 49 without a word, and takes an indented line for a continuation of the one above; so lines come from a
 * reader of ours, which refuses long ones, strips indentation and reads the section headings itself.
 */
#include "config.h"

#include "hypervisor.h"

#include "base/cleanup.h"
#include "base/durable.h"
#include "base/err.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <ini.h>

#define BLANKS " \t\r\v\f"

enum key {
	KEY_STATE,
	KEY_HYPERVISOR,
	KEY_RESERVE,
	KEY_DISKS,
	KEY_MEMORY,
	KEY_LIVE,
	KEY_QUIESCE,
	KEY_DEADLINE,
	KEY_MAX,
	NKEYS
};

static const char *const key_names[NKEYS] = {
	"state", "hypervisor", "state-reserve",  "disks",         "memory",
	"live",  "quiesce",    "pause-deadline", "max-snapshots",
};

/* What follows a rule of its own in [lvm]: a number within bounds, kept in another unit than it is written in. */
static const struct lvm_key {
	const char *name;
	size_t offset; /* of a uint64_t in struct sf_lvm_config */
	uint64_t least, most, fallback;
	uint64_t unit;
} lvm_keys[] = {
	{"deadline", offsetof(struct sf_lvm_config, deadline_ms), 1, 3600, 60, 1000},
	{"idle", offsetof(struct sf_lvm_config, idle_ms), 0, 3600, 30, 1000},
	{"cow-size", offsetof(struct sf_lvm_config, cow_percent), 1, 100, 10, 1},
	{"cow-minimum", offsetof(struct sf_lvm_config, cow_minimum_bytes), 1, 1048576, 64, 1024 * 1024},
	{"cow-extend-at", offsetof(struct sf_lvm_config, cow_extend_at), 10, 99, 70, 1},
	{"cow-extend-by", offsetof(struct sf_lvm_config, cow_extend_by), 1, 100, 20, 1},
	{"cow-ceiling", offsetof(struct sf_lvm_config, cow_ceiling), 1, 200, 100, 1},
	{"vg-reserve", offsetof(struct sf_lvm_config, vg_reserve), 0, 90, 2, 1},
	{"pool-warn", offsetof(struct sf_lvm_config, pool_warn), 1, 99, 80, 1},
	{"pool-stop", offsetof(struct sf_lvm_config, pool_stop), 1, 100, 95, 1},
};
#define NLVM_KEYS (sizeof(lvm_keys) / sizeof(lvm_keys[0]))

enum section { SECTION_NONE, SECTION_SNAPFS, SECTION_VM, SECTION_LVM, SECTION_XEN };

static const char *const xen_keys[] = {"configs", "helper", "deadline"};
#define NXEN_KEYS (sizeof(xen_keys) / sizeof(xen_keys[0]))

struct parse {
	struct sf_config *config;
	const char *name;
	const char *at, *end;
	int line;
	enum section section;
	struct sf_vm_config *vm; /* of SECTION_VM */
	unsigned global_seen, vm_seen, lvm_seen, xen_seen;
	int rc;
	struct sf_err *err;
};

static void set_lvm(struct sf_lvm_config *lvm, const struct lvm_key *key, uint64_t value)
{
	*(uint64_t *)(void *)((char *)lvm + key->offset) = value * key->unit;
}

void sf_config_init(struct sf_config *config)
{
	memset(config, 0, sizeof(*config));
	(void)snprintf(config->state_dir, sizeof(config->state_dir), "%s", SF_CONFIG_DEFAULT_STATE);
	(void)snprintf(config->hypervisor, sizeof(config->hypervisor), "auto");
	config->state_reserve_bytes = SF_CONFIG_DEFAULT_RESERVE;
	config->policy = (struct sf_policy){
		.memory = true, .live = true, .pause_deadline_ms = 60 * 1000, .max_snapshots = 512};
	for (size_t i = 0; i < NLVM_KEYS; i++)
		set_lvm(&config->lvm, &lvm_keys[i], lvm_keys[i].fallback);
	(void)snprintf(config->xen.configs, sizeof(config->xen.configs), "/etc/xen");
	(void)snprintf(config->xen.helper, sizeof(config->xen.helper), "%s", SF_XEN_HELPER);
	config->xen.deadline_ms = 600 * 1000;
}

void sf_config_fini(struct sf_config *config)
{
	for (size_t i = 0; i < config->nvms; i++)
		free(config->vms[i].disks);
	free(config->vms);
	config->vms = NULL;
	config->nvms = 0;
}

static struct sf_vm_config *find_vm(const struct sf_config *config, const char *name)
{
	for (size_t i = 0; i < config->nvms; i++)
		if (strcmp(config->vms[i].name, name) == 0)
			return &config->vms[i];
	return NULL;
}

const struct sf_policy *sf_config_policy(const struct sf_config *config, const char *vm)
{
	const struct sf_vm_config *found = find_vm(config, vm);

	return found ? &found->policy : &config->policy;
}

static int append_vm(struct sf_config *config, const char *name, struct sf_vm_config **ret,
		     struct sf_err *err)
{
	struct sf_vm_config *vms;
	int rc = sf_name_check(name, err);

	if (rc < 0)
		return sf_wrap(err, rc, "VM '%s'", name);
	if (config->nvms == SF_CONFIG_VMS_MAX)
		return sf_fail(err, -E2BIG, "more than %d VMs", SF_CONFIG_VMS_MAX);
	vms = realloc(config->vms, (config->nvms + 1) * sizeof(*vms));
	if (!vms)
		return sf_fail(err, -ENOMEM, "out of memory");
	config->vms = vms;
	vms[config->nvms] = (struct sf_vm_config){.policy = config->policy};
	memcpy(vms[config->nvms].name, name, strlen(name) + 1);
	*ret = &vms[config->nvms++];
	return 0;
}

/* "mem:64M": a storage's own way to name a disk, as opposed to a path. */
static bool has_scheme(const char *spec)
{
	size_t len = strspn(spec, "abcdefghijklmnopqrstuvwxyz0123456789");

	return len > 0 && spec[len] == ':';
}

static int append_disk(struct sf_vm_config *vm, const char *spec, struct sf_err *err)
{
	struct sf_disk *disks;

	if (!*spec)
		return sf_fail(err, -EINVAL, "an empty disk in the list of disks");
	if (*spec != '/' && !has_scheme(spec))
		return sf_fail(err, -EINVAL, "disk '%s' is not an absolute path", spec);
	if (strlen(spec) >= sizeof(disks->spec))
		return sf_fail(err, -ENAMETOOLONG, "a disk's path is longer than %zu bytes",
			       sizeof(disks->spec) - 1);
	if (vm->ndisks == SF_VM_DISKS_MAX)
		return sf_fail(err, -E2BIG, "more than %d disks", SF_VM_DISKS_MAX);
	for (size_t i = 0; i < vm->ndisks; i++)
		if (*spec == '/' && strcmp(vm->disks[i].spec, spec) == 0)
			return sf_fail(err, -EINVAL, "disk '%s' is there twice", spec);
	disks = realloc(vm->disks, (vm->ndisks + 1) * sizeof(*disks));
	if (!disks)
		return sf_fail(err, -ENOMEM, "out of memory");
	vm->disks = disks;
	memset(&disks[vm->ndisks], 0, sizeof(*disks));
	sf_vdev_name(vm->ndisks, disks[vm->ndisks].vdev);
	memcpy(disks[vm->ndisks].spec, spec, strlen(spec) + 1);
	vm->ndisks++;
	return 0;
}

static char *strip(char *text)
{
	size_t len;

	text += strspn(text, BLANKS);
	for (len = strlen(text); len > 0 && strchr(BLANKS, text[len - 1]); len--)
		text[len - 1] = '\0';
	return text;
}

/*
 * Where the shell stands: a relative path on the command line counts from there, also once we are a daemon.
 */
static int anchor(const char *spec, char path[static SF_ORIGIN_MAX], struct sf_err *err)
{
	char cwd[PATH_MAX] = "";

	if (*spec && *spec != '/' && !has_scheme(spec)) {
		if (!getcwd(cwd, sizeof(cwd)))
			return sf_fail(err, -errno, "working directory: %s", strerror(errno));
		(void)strncat(cwd, "/", sizeof(cwd) - strlen(cwd) - 1);
	}
	if (snprintf(path, SF_ORIGIN_MAX, "%s%s", cwd, spec) >= SF_ORIGIN_MAX)
		return sf_fail(err, -ENAMETOOLONG, "a disk's path is longer than %d bytes",
			       SF_ORIGIN_MAX - 1);
	return 0;
}

static int append_disks(struct sf_vm_config *vm, const char *list, bool anchored, struct sf_err *err)
{
	auto_free char *copy = strdup(list);
	char path[SF_ORIGIN_MAX];
	char *rest = copy;
	int rc = 0;

	if (!copy)
		return sf_fail(err, -ENOMEM, "out of memory");
	while (rest && rc == 0) {
		char *spec = strip(strsep(&rest, ","));

		if (anchored) {
			rc = anchor(spec, path, err);
			spec = path;
		}
		if (rc == 0)
			rc = append_disk(vm, spec, err);
	}
	return rc;
}

int sf_config_add_vm(struct sf_config *config, const char *arg, struct sf_err *err)
{
	const char *equals = strchr(arg, '=');
	auto_free char *name = equals ? strndup(arg, (size_t)(equals - arg)) : NULL;
	struct sf_vm_config disks = {0};
	struct sf_vm_config *vm;
	int rc;

	if (!equals)
		return sf_fail(err, -EINVAL, "VM '%s' is not NAME=DISK[,DISK...]", arg);
	if (!name)
		return sf_fail(err, -ENOMEM, "out of memory");
	rc = append_disks(&disks, equals + 1, true, err);
	if (rc < 0)
		sf_wrap(err, rc, "VM '%s'", name);
	vm = find_vm(config, name);
	if (rc == 0 && !vm)
		rc = append_vm(config, name, &vm, err);
	if (rc < 0) {
		free(disks.disks);
		return rc;
	}
	free(vm->disks);
	vm->disks = disks.disks;
	vm->ndisks = disks.ndisks;
	return 0;
}

static int parse_bool(const char *value, bool *ret, struct sf_err *err)
{
	if (strcmp(value, "yes") != 0 && strcmp(value, "no") != 0)
		return sf_fail(err, -EINVAL, "'%s' is neither yes nor no", value);
	*ret = *value == 'y';
	return 0;
}

static int parse_number(const char *value, uint64_t least, uint64_t most, uint64_t *ret, struct sf_err *err)
{
	size_t len = strspn(value, "0123456789");
	bool number = len > 0 && len < 10 && !value[len];
	uint64_t n = number ? strtoul(value, NULL, 10) : 0;

	if (!number || n < least || n > most)
		return sf_fail(err, -EINVAL, "'%s' is not a number from %llu to %llu", value,
			       (unsigned long long)least, (unsigned long long)most);
	*ret = n;
	return 0;
}

static int parse_text(const char *value, char *buf, size_t size, struct sf_err *err)
{
	if (!*value || strlen(value) >= size)
		return sf_fail(err, -EINVAL, "the value is empty or longer than %zu bytes", size - 1);
	memcpy(buf, value, strlen(value) + 1);
	return 0;
}

static int parse_path(const char *value, char *buf, size_t size, struct sf_err *err)
{
	if (*value != '/')
		return sf_fail(err, -EINVAL, "'%s' is not an absolute path", value);
	return parse_text(value, buf, size, err);
}

static int parse_reserve(struct sf_config *config, const char *value, struct sf_err *err)
{
	uint64_t mib;
	int rc = parse_number(value, 0, 1048576, &mib, err);

	if (rc == 0)
		config->state_reserve_bytes = mib * 1024 * 1024;
	return rc;
}

static int parse_deadline(struct sf_policy *policy, const char *value, struct sf_err *err)
{
	uint64_t seconds;
	int rc = parse_number(value, 1, 3600, &seconds, err);

	if (rc == 0)
		policy->pause_deadline_ms = seconds * 1000;
	return rc;
}

static int set_key(struct parse *parse, enum key key, const char *value, struct sf_err *err)
{
	struct sf_config *config = parse->config;
	struct sf_policy *policy = parse->section == SECTION_VM ? &parse->vm->policy : &config->policy;

	switch (key) {
	case KEY_STATE:
		return parse_path(value, config->state_dir, sizeof(config->state_dir), err);
	case KEY_HYPERVISOR:
		return parse_text(value, config->hypervisor, sizeof(config->hypervisor), err);
	case KEY_RESERVE:
		return parse_reserve(config, value, err);
	case KEY_DISKS:
		return append_disks(parse->vm, value, false, err);
	case KEY_MEMORY:
		return parse_bool(value, &policy->memory, err);
	case KEY_LIVE:
		return parse_bool(value, &policy->live, err);
	case KEY_QUIESCE:
		return parse_bool(value, &policy->quiesce, err);
	case KEY_DEADLINE:
		return parse_deadline(policy, value, err);
	case KEY_MAX:
		return parse_number(value, 1, 10000, &policy->max_snapshots, err);
	case NKEYS:
		break;
	}
	return sf_fail(err, -EINVAL, "unknown key");
}

static enum key find_key(enum section section, const char *name)
{
	enum key first = section == SECTION_VM ? KEY_DISKS : KEY_STATE;

	for (enum key key = first; key < NKEYS; key++)
		if (strcmp(key_names[key], name) == 0 && (key != KEY_DISKS || section == SECTION_VM))
			return key;
	return NKEYS;
}

static int use_lvm_line(struct parse *parse, const char *name, const char *value)
{
	uint64_t number;
	size_t i = 0;
	int rc;

	while (i < NLVM_KEYS && strcmp(lvm_keys[i].name, name) != 0)
		i++;
	if (i == NLVM_KEYS)
		return sf_fail(parse->err, -EINVAL, "unknown key '%s'", name);
	if (parse->lvm_seen & 1U << i)
		return sf_fail(parse->err, -EINVAL, "'%s' is there twice", name);
	parse->lvm_seen |= 1U << i;
	rc = parse_number(value, lvm_keys[i].least, lvm_keys[i].most, &number, parse->err);
	if (rc < 0)
		return sf_wrap(parse->err, rc, "%s", name);
	set_lvm(&parse->config->lvm, &lvm_keys[i], number);
	return 0;
}

static int set_xen(struct sf_xen_config *xen, size_t key, const char *value, struct sf_err *err)
{
	uint64_t seconds;
	int rc;

	if (key == 0)
		return parse_path(value, xen->configs, sizeof(xen->configs), err);
	if (key == 1)
		return parse_path(value, xen->helper, sizeof(xen->helper), err);
	rc = parse_number(value, 1, 86400, &seconds, err);
	if (rc == 0)
		xen->deadline_ms = seconds * 1000;
	return rc;
}

static int use_xen_line(struct parse *parse, const char *name, const char *value)
{
	size_t i = 0;
	int rc;

	while (i < NXEN_KEYS && strcmp(xen_keys[i], name) != 0)
		i++;
	if (i == NXEN_KEYS)
		return sf_fail(parse->err, -EINVAL, "unknown key '%s'", name);
	if (parse->xen_seen & 1U << i)
		return sf_fail(parse->err, -EINVAL, "'%s' is there twice", name);
	parse->xen_seen |= 1U << i;
	rc = set_xen(&parse->config->xen, i, value, parse->err);
	return rc < 0 ? sf_wrap(parse->err, rc, "%s", name) : 0;
}

static int use_line(struct parse *parse, const char *name, const char *value)
{
	unsigned *seen = parse->section == SECTION_VM ? &parse->vm_seen : &parse->global_seen;
	enum key key = find_key(parse->section, name);
	int rc;

	if (parse->section == SECTION_NONE)
		return sf_fail(parse->err, -EINVAL, "'%s' stands before the first section", name);
	if (parse->section == SECTION_LVM)
		return use_lvm_line(parse, name, value);
	if (parse->section == SECTION_XEN)
		return use_xen_line(parse, name, value);
	if (key == NKEYS)
		return sf_fail(parse->err, -EINVAL, "unknown key '%s'", name);
	/* Long lists of disks are spread over several lines, since a line is short. */
	if (key != KEY_DISKS && (*seen & 1U << key))
		return sf_fail(parse->err, -EINVAL, "'%s' is there twice", name);
	*seen |= 1U << key;
	rc = set_key(parse, key, value, parse->err);
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

static const struct {
	const char *name;
	enum section section;
} sections[] = {{"snapfs", SECTION_SNAPFS}, {"lvm", SECTION_LVM}, {"xen", SECTION_XEN}};

static int open_section(struct parse *parse, char *line)
{
	char *end = strchr(line, ']');
	char *name;

	if (!end || (end[1] && !strchr(BLANKS ";#", end[1])) ||
	    !strchr(";#", end[1 + strspn(end + 1, BLANKS)]))
		return sf_fail(parse->err, -EINVAL, "not a section: %s", line);
	*end = '\0';
	name = strip(line + 1);
	for (size_t i = 0; i < sizeof(sections) / sizeof(sections[0]); i++) {
		if (strcmp(name, sections[i].name) != 0)
			continue;
		parse->section = sections[i].section;
		return 0;
	}
	if (strncmp(name, "vm", 2) != 0 || !name[2] || !strchr(BLANKS, name[2]))
		return sf_fail(parse->err, -EINVAL, "unknown section [%s]", name);
	name = strip(name + 2);
	if (find_vm(parse->config, name))
		return sf_fail(parse->err, -EINVAL, "section [vm %s] is there twice", name);
	parse->section = SECTION_VM;
	parse->vm_seen = 0;
	return append_vm(parse->config, name, &parse->vm, parse->err);
}

/*
 * inih's reader, fgets(3) in form: the next line without its indentation; a heading arrives as an empty line.
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
	while (parse->at < stop && *parse->at && strchr(BLANKS, *parse->at))
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
	struct parse parse = {.config = config, .name = name, .at = text, .end = text + len, .err = err};
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
	return 0;
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
