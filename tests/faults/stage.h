/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One VM, its disks, guest and state directory, made afresh for each try, outliving the processes that work
 * on them. What the disks and RAM hold tells their instant: the guest's tick in the first sector and a
 * pattern that follows from the tick behind it. Facts and complaints live in memory shared with the children.
 */
#ifndef TESTS_FAULTS_STAGE_H
#define TESTS_FAULTS_STAGE_H

#include "crashsim.h"

#include "backends/fault/fault.h"
#include "backends/sim/sim.h"
#include "backends/mem/mem.h"
#include "core/contract/backend.h"
#include "core/config/config.h"
#include "core/engine/engine.h"
#include "core/state/state.h"

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#define STAGE_VM            "vm"
#define STAGE_DISKS_MAX     2
#define STAGE_SNAPSHOTS_MAX 4
/* Data, a hole, data: each as long as a chunk of `mem`. */
#define STAGE_DISK_BYTES ((size_t)3 * SF_MEM_CHUNK)
#define STAGE_COMPLAINTS 8192

/* What the operation under test does to a snapshot. */
enum stage_fate {
	STAGE_STAYS,
	STAGE_COMES,
	STAGE_GOES,
	STAGE_RENAMED,   /* to `to` */
	STAGE_FORGOTTEN, /* goes, and its objects stay */
};

struct stage_snapshot {
	char name[32];
	char to[32];
	enum stage_fate fate;
	uint64_t tick;
	bool memory;
	uint64_t id;                               /* as is this */
	struct sf_id tokens[STAGE_DISKS_MAX];     /* of one that is to be forgotten */
	unsigned char old_manifest, new_manifest; /* what its hashes are made of; 0: there is none */
};

struct stage_facts {
	struct stage_snapshot snapshots[STAGE_SNAPSHOTS_MAX];
	size_t nsnapshots;
	uint64_t old_tick, new_tick; /* of the live disks, before and after the operation */
	enum sf_power old_power, new_power;
	bool keeps_old;   /* a revert with a safety snapshot */
	atomic_bool done; /* the operation returned success */
};

struct stage_shared {
	struct stage_facts facts;
	struct crashsim_report report;
	char complaints[STAGE_COMPLAINTS]; /* a line each; empty: all is well */
};

struct house;
struct sf_snapshot;
struct stage;

/* Disks that are not the stage's own. */
struct stage_ground {
	/* Specification of disk number i. */
	void (*spec)(const struct stage *stage, unsigned i, char spec[static PATH_MAX]);
	/* Gives the house its storages, with house_add_storage(). */
	int (*open)(struct house *house, struct sf_err *err);
	/* After recovery, before snapshots are read: complains about what should not be there. */
	void (*check)(struct house *house, struct sf_snapshot *const *snapshots, size_t n);
	/* All there is, a line each: what a second start may not change. */
	void (*list)(const struct stage *stage, FILE *out);
};

struct stage {
	char path[PATH_MAX / 2];           /* holds state/, images/, graveyard/ and log */
	const char *storage;               /* "mem", "file", or the ground's */
	const struct stage_ground *ground; /* NULL: `mem` disks, or images in the stage */
	unsigned ndisks;
	struct sf_mem_world *mem;
	struct sf_sim_world *sim;
	struct stage_shared *shared;
};

/* Ends the program when it fails: without a stage there is no test. */
void stage_new(struct stage *stage, const char *base, const char *storage, unsigned ndisks);
void stage_free(struct stage *stage);

/* Writes a line about something that must not be. */
void stage_complain(struct stage *stage, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* What a process needs to work on a stage: everything but the face. */
struct house {
	struct stage *stage;
	struct sf_config config;
	struct sf_backend_env env;
	struct sf_fault_plan *plan;
	struct sf_storages storages;
	struct sf_hypervisor *sim; /* inside of hv */
	struct sf_hypervisor *hv;
	struct sf_engine *engine;
};

/* False, with a complaint, when something fails. What is open is closed by house_close() in either case. */
bool house_open(struct house *house, struct stage *stage);
/* The engine alone, with the state directory; backends and guest stay. */
void house_close_engine(struct house *house);
void house_close(struct house *house);
/* Takes over inner, inside of house->plan; for a ground's open. */
int house_add_storage(struct house *house, struct sf_storage *inner, struct sf_err *err);

/* Lets the guest tick and write the pattern of its new tick; returns that tick. */
uint64_t house_advance(struct house *house, unsigned ticks);
struct sf_sim_view house_view(struct house *house);
struct sf_vm_desc house_vm(struct house *house);
/* The VM's id in the catalog; 0 when it is not shown. */
uint64_t house_vm_id(struct house *house);

/* Opens disk number i of the VM; NULL with a complaint. */
struct sf_volume *house_volume(struct house *house, unsigned i);

/* What disk number i holds at tick, all STAGE_DISK_BYTES of it. */
void stage_content(unsigned i, uint64_t tick, char *buf);

#endif
