/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The configuration: the configuration file (INI; its grammar is in snapfs.conf(5)), overridden by the
 * command line.
 *
 *   [snapfs]                      [vm web]
 *   state = /var/lib/snapfs       disks = /data/web.img, /data/web-data.img
 *   hypervisor = auto             memory = no
 *   state-reserve = 64            live = no
 *   memory = yes                  quiesce = yes
 *   live = yes                    pause-deadline = 10
 *   quiesce = no                  max-snapshots = 50
 *   pause-deadline = 60
 *   max-snapshots = 512           timezone = Europe/Berlin
 *   timezone = UTC
 *
 * The six policy keys in [snapfs] are the defaults for VMs that appear later in the file and for VMs that
 * only the hypervisor knows; in [vm NAME] they apply to one VM. LVM and Xen have sections of their own, shown
 * here with their defaults; see struct sf_lvm_config and struct sf_xen_config.
 *
 *   [lvm]
 *   deadline = 60                 cow-extend-by = 20
 *   idle = 30                     cow-ceiling = 100
 *   cow-size = 10                 vg-reserve = 2
 *   cow-minimum = 64              pool-warn = 80
 *   cow-extend-at = 70            pool-stop = 95
 *
 *   [xen]
 *   configs = /etc/xen            deadline = 600
 *
 * Schedules say what snapfsctl snapshots and prunes automatically; see struct sf_schedule_config. The daemon
 * only validates them.
 *
 *   [schedule nightly]
 *   vms = web*, db, !web-test     keep-last = 3
 *   when = daily 02:30            keep-hourly = 24
 *   memory = no                   keep-daily = 7
 *   quiesce = yes                 keep-weekly = 5
 *   timezone = Europe/Berlin      keep-monthly = 12
 *   pre = /usr/local/bin/flush    keep-yearly = unlimited
 *   post = /usr/bin/logger done   keep-within = 2d
 *   hook-deadline = 300
 *
 * Unknown sections, keys and values, and duplicate keys, are refused with their name and line.
 */
#ifndef SF_CORE_CONFIG_CONFIG_H
#define SF_CORE_CONFIG_CONFIG_H

#include "base/names.h"
#include "core/calendar/retention.h"
#include "core/contract/storage.h"
#include "core/calendar/when.h"
#include "core/calendar/zone.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct sf_err;

#define SF_CONFIG_DEFAULT_FILE  "/etc/snapfs.conf"
#define SF_CONFIG_DEFAULT_STATE "/var/lib/snapfs"
/* Enough for thousands of records and for other needs of a small host's root file system. */
#define SF_CONFIG_DEFAULT_RESERVE (64ULL * 1024 * 1024)
/* Limits on VMs, file size and lines; a file beyond them is not a plausible configuration. */
#define SF_CONFIG_VMS_MAX   4096
#define SF_CONFIG_BYTES_MAX (1024 * 1024)
#define SF_CONFIG_LINE_MAX  4096
/* Limits on schedules, patterns per schedule, and words per hook. */
#define SF_CONFIG_SCHEDULES_MAX 256
#define SF_SCHEDULE_VMS_MAX     256
#define SF_HOOK_WORDS_MAX       64
/* Without the NUL. Leaves room for the time that is appended in snapshot names. */
#define SF_SCHEDULE_NAME_MAX 63

struct sf_policy {
	bool memory;                /* save RAM if the VM is running and the hypervisor can; default yes */
	bool quiesce;               /* ask the guest to freeze its file systems first; default no */
	bool live;                  /* keep the guest running while most of its RAM is saved; default yes */
	uint64_t pause_deadline_ms; /* longest pause of a guest; default 60 s, 1 s to 1 h */
	uint64_t max_snapshots;     /* per VM; default 512, 1 to 10000 */
	char timezone[SF_ZONE_MAX]; /* zone whose days count in pruning; default "": the host's */
};

/* LVM settings, section [lvm]. Percentages are whole numbers. */
struct sf_lvm_config {
	uint64_t deadline_ms; /* deadline: for one command; default 60 s, 1 s to 1 h */
	uint64_t idle_ms;     /* idle: until an unread thin snapshot is deactivated; default 30 s, 0 to 1 h */
	uint64_t cow_percent; /* cow-size: of the origin, for a new COW store; default 10, 1 to 100 */
	uint64_t cow_minimum_bytes; /* cow-minimum: in MiB; default 64, 1 to 1048576 */
	uint64_t cow_extend_at;     /* cow-extend-at: percent full; default 70, 10 to 99 */
	uint64_t cow_extend_by;     /* cow-extend-by: percent of its size; default 20, 1 to 100 */
	uint64_t cow_ceiling;       /* cow-ceiling: maximum, percent of the origin; default 100, 1 to 200 */
	uint64_t vg_reserve; /* vg-reserve: percent of the VG kept from COW stores; default 2, 0 to 90 */
	uint64_t pool_warn;  /* pool-warn: percent full, data or metadata; default 80, 1 to 99 */
	uint64_t pool_stop;  /* pool-stop: no new snapshots above; default 95, 1 to 100 */
};

/* Xen settings, section [xen]. */
struct sf_xen_config {
	char configs[SF_ORIGIN_MAX]; /* configs: directory of xl.cfg files; default /etc/xen */
	char helper[SF_ORIGIN_MAX];  /* helper: program that calls libxenlight; default: the installed one */
	uint64_t deadline_ms;        /* deadline: for xl to start a guest; default 600 s, 1 s to 24 h */
};

struct sf_vm_config {
	char name[SF_NAME_MAX + 1];
	struct sf_policy policy;
	struct sf_disk *disks;
	size_t ndisks;
};

enum sf_choice { SF_CHOICE_POLICY, SF_CHOICE_NO, SF_CHOICE_YES };

/* Section [schedule NAME]. */
struct sf_schedule_config {
	char name[SF_SCHEDULE_NAME_MAX + 1];
	int line;   /* line of the heading in the file */
	char **vms; /* vms: fnmatch(3) patterns, a leading ! excludes; repeatable; none: all VMs */
	size_t nvms;
	char when_text[SF_WHEN_TEXT_MAX]; /* when: required */
	struct sf_when when;
	enum sf_choice memory, quiesce; /* not both SF_CHOICE_YES; default: the VM's policy */
	struct sf_keep_rules keep;      /* keep-...; none: never prune */
	char timezone[SF_ZONE_MAX];     /* timezone; "": see sf_config_timezone() */
	char **pre, **post;             /* argv with an absolute path, NULL-terminated; NULL: none */
	uint64_t hook_deadline_ms;      /* hook-deadline: for each of them; default 300 s, 1 s to 24 h */
};

struct sf_config {
	char state_dir[SF_ORIGIN_MAX];
	char hypervisor[16];
	uint64_t state_reserve_bytes; /* state-reserve: MiB that RAM leaves free; default 64, 0 to 1048576 */
	struct sf_policy policy;
	struct sf_lvm_config lvm;
	struct sf_xen_config xen;
	bool rescan; /* command line only: rebuild records from volume labels */
	struct sf_vm_config *vms;
	size_t nvms;
	struct sf_schedule_config *schedules; /* in file order */
	size_t nschedules;
};

/* Sets all defaults. */
void sf_config_init(struct sf_config *config);
void sf_config_fini(struct sf_config *config);

/*
 * Reads a file into config, on top of what it holds. -ENOENT if the file does not exist, -EINVAL with
 * "FILE:LINE: …" if it is invalid.
 */
int sf_config_load(struct sf_config *config, const char *path, struct sf_err *err);
/* As sf_config_load(), from memory. text need not end in a NUL; name replaces the path in errors. */
int sf_config_parse(struct sf_config *config, const char *name, const char *text, size_t len,
		    struct sf_err *err);

/*
 * Adds "NAME=DISK[,DISK…]" from the command line; the disks are a list as in the file. Replaces the disks of
 * a VM of that name in the file.
 */
int sf_config_add_vm(struct sf_config *config, const char *arg, struct sf_err *err);

/* The policy of a VM: from its own section, or the defaults. */
const struct sf_policy *sf_config_policy(const struct sf_config *config, const char *vm);

/* NULL if there is no schedule of that name. */
const struct sf_schedule_config *sf_config_schedule(const struct sf_config *config, const char *name);

/*
 * Whether the schedule covers this VM: no ! pattern matches, and a pattern without ! matches or there is
 * none.
 */
bool sf_schedule_takes(const struct sf_schedule_config *schedule, const char *vm);
/* Whether an item of `vms`, without its !, matches none of the n VMs. */
bool sf_schedule_item_matches_none(const char *item, char *const *vms, size_t n);
/*
 * Whether the item is the plain name of one VM, which is expected to exist. If so, name is that name, without
 * the backslashes of protected characters and cut to fit.
 */
bool sf_schedule_item_is_name(const char *item, char name[static SF_NAME_MAX + 1]);

/*
 * The time zone from the schedule's own key, or else from the policy of the VM (vm NULL: of [snapfs]).
 * schedule may be NULL. Returns NULL for the host's zone, as in zone.h.
 */
const char *sf_config_timezone(const struct sf_config *config, const struct sf_schedule_config *schedule,
			       const char *vm);

#endif
