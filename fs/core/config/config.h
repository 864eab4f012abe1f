/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the administrator asked for: the configuration file (INI, read with inih) and then the command line on
 * top.
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
 * The six policy keys stand in [snapfs] as defaults (for VMs named later in the file and for VMs that only
 * the hypervisor knows) and in [vm NAME] for one VM. How LVM and Xen are used stands in sections of their
 * own, here with their defaults; see struct sf_lvm_config and struct sf_xen_config.
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
 * What snapfsctl takes and prunes by itself; see struct sf_schedule_config. The daemon only checks it.
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
 * Unknown sections, keys and values are refused by name and line, and so is a key that is there twice.
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
/* Room for thousands of records, and for whatever else the root file system of a small host is asked for. */
#define SF_CONFIG_DEFAULT_RESERVE (64ULL * 1024 * 1024)
/* VMs and bytes one configuration may name; beyond that it is not a configuration file. */
#define SF_CONFIG_VMS_MAX   4096
#define SF_CONFIG_BYTES_MAX (1024 * 1024)
/* Schedules, patterns of one schedule, words of one hook. */
#define SF_CONFIG_SCHEDULES_MAX 256
#define SF_SCHEDULE_VMS_MAX     256
#define SF_HOOK_WORDS_MAX       64
/* Without the NUL: leaves room for a time behind it in the names of its snapshots. */
#define SF_SCHEDULE_NAME_MAX 63

struct sf_policy {
	bool memory;                /* save RAM when the VM runs and the hypervisor can; default yes */
	bool quiesce;               /* ask the guest to freeze its file systems first; default no */
	bool live;                  /* the guest runs while most of its RAM is saved; default yes */
	uint64_t pause_deadline_ms; /* longest time a guest is kept at rest; default 60 s, 1 s to 1 h */
	uint64_t max_snapshots;     /* of one VM; default 512, 1 to 10000 */
	char timezone[SF_ZONE_MAX]; /* whose days count when it is pruned; default "": the host's */
};

/* How LVM is used; section [lvm]. Percentages are whole numbers. */
struct sf_lvm_config {
	uint64_t deadline_ms; /* deadline: longest wait for one command; default 60 s, 1 s to 1 h */
	uint64_t idle_ms;     /* idle: a thin snapshot nobody reads is deactivated; default 30 s, 0 to 1 h */
	uint64_t cow_percent; /* cow-size: of the origin, for a new COW store; default 10, 1 to 100 */
	uint64_t cow_minimum_bytes; /* cow-minimum: in MiB; default 64, 1 to 1048576 */
	uint64_t cow_extend_at;     /* cow-extend-at: percent full; default 70, 10 to 99 */
	uint64_t cow_extend_by;     /* cow-extend-by: percent of its size; default 20, 1 to 100 */
	uint64_t cow_ceiling;       /* cow-ceiling: percent of the origin, at most; default 100, 1 to 200 */
	uint64_t vg_reserve; /* vg-reserve: percent of the VG never given to COW stores; default 2, 0 to 90 */
	uint64_t pool_warn;  /* pool-warn: percent full, data or metadata; default 80, 1 to 99 */
	uint64_t pool_stop;  /* pool-stop: no new snapshots above; default 95, 1 to 100 */
};

/* How Xen is used; section [xen]. */
struct sf_xen_config {
	char configs[SF_ORIGIN_MAX]; /* configs: directory of xl.cfg files; default /etc/xen */
	char helper[SF_ORIGIN_MAX];  /* helper: the program that speaks with libxenlight; default: the
					installed one */
	uint64_t deadline_ms;        /* deadline: for xl to bring a guest up; default 600 s, 1 s to 24 h */
};

struct sf_vm_config {
	char name[SF_NAME_MAX + 1];
	struct sf_policy policy;
	struct sf_disk *disks;
	size_t ndisks;
};

enum sf_choice { SF_CHOICE_POLICY, SF_CHOICE_NO, SF_CHOICE_YES };

/* Section [schedule NAME], or [schedule "NAME"]. */
struct sf_schedule_config {
	char name[SF_SCHEDULE_NAME_MAX + 1];
	int line;   /* where it begins in the file */
	char **vms; /* vms: patterns of fnmatch(3), a leading ! excludes; may be repeated; none: all VMs */
	size_t nvms;
	char when_text[SF_WHEN_TEXT_MAX]; /* when: must be there */
	struct sf_when when;
	enum sf_choice memory, quiesce; /* not both SF_CHOICE_YES; default: the VM's policy */
	struct sf_keep_rules keep;      /* keep-...; none: nothing is removed */
	char timezone[SF_ZONE_MAX];     /* timezone; "": see sf_config_timezone() */
	char **pre, **post;        /* argv of programs with absolute paths, NULL at the end; NULL: none */
	uint64_t hook_deadline_ms; /* hook-deadline: for each of them; default 300 s, 1 s to 24 h */
};

struct sf_config {
	char state_dir[SF_ORIGIN_MAX];
	char hypervisor[16];
	uint64_t state_reserve_bytes; /* state-reserve: MiB that RAM leaves free; default 64, 0 to 1048576 */
	struct sf_policy policy;
	struct sf_lvm_config lvm;
	struct sf_xen_config xen;
	bool rescan; /* of the command line alone: records are rebuilt from the labels of volumes */
	struct sf_vm_config *vms;
	size_t nvms;
	struct sf_schedule_config *schedules; /* in the order of the file */
	size_t nschedules;
};

/* Defaults everywhere. */
void sf_config_init(struct sf_config *config);
void sf_config_fini(struct sf_config *config);

/*
 * Reads a file on top of config. -ENOENT when it is missing, -EINVAL with "FILE:LINE: …" for what is wrong in
 * it.
 */
int sf_config_load(struct sf_config *config, const char *path, struct sf_err *err);
/* The same from memory (text need not end in NUL); name stands in for the path in errors. */
int sf_config_parse(struct sf_config *config, const char *name, const char *text, size_t len,
		    struct sf_err *err);

/* "NAME=DISK[,DISK…]" of the command line; a VM of that name in the file gets these disks instead. */
int sf_config_add_vm(struct sf_config *config, const char *arg, struct sf_err *err);

/* The policy of a VM: its own section's or the defaults. */
const struct sf_policy *sf_config_policy(const struct sf_config *config, const char *vm);

/* NULL when there is none of that name. */
const struct sf_schedule_config *sf_config_schedule(const struct sf_config *config, const char *name);

/* Whether it is for this VM: a pattern without ! matches, or there is none such, and no pattern with !
 * matches. */
bool sf_schedule_takes(const struct sf_schedule_config *schedule, const char *vm);

/*
 * The zone of a schedule's own key or else of the policy, of the VM's or of [snapfs] where vm is NULL.
 * schedule may be NULL, too. NULL for the host's, as in zone.h.
 */
const char *sf_config_timezone(const struct sf_config *config, const struct sf_schedule_config *schedule,
			       const char *vm);

#endif
