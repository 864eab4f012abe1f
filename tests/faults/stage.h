/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The stage of one try of the crash sweep: one VM with disks, guest and state directory, all made anew. It
 * outlives the processes that work on it. Disks and RAM tell the instant they are from: the first sector
 * holds the guest's tick, the rest a pattern derived from it. Facts and complaints lie in memory shared with
 * the child processes.
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
/* Data, a hole, data, each one chunk of `mem` long. */
#define STAGE_DISK_BYTES ((size_t)3 * SF_MEM_CHUNK)
#define STAGE_COMPLAINTS 8192

/* What the operation under test does to a snapshot. */
enum stage_fate {
	STAGE_STAYS,
	STAGE_COMES,
	STAGE_GOES,
	STAGE_RENAMED,   /* to the name in `to` */
	STAGE_FORGOTTEN, /* its record is deleted and its objects stay */
};

struct stage_snapshot {
	char name[32];
	char to[32];
	enum stage_fate fate;
	uint64_t tick;
	bool memory;
	uint64_t id;                              /* set only if STAGE_FORGOTTEN, as are tokens */
	struct sf_id tokens[STAGE_DISKS_MAX];     /* of its objects */
	unsigned char old_manifest, new_manifest; /* the byte that its hashes consist of; 0: no manifest */
};

struct stage_facts {
	struct stage_snapshot snapshots[STAGE_SNAPSHOTS_MAX];
	size_t nsnapshots;
	uint64_t old_tick, new_tick; /* of the live disks, before and after the operation */
	enum sf_power old_power, new_power;
	bool keeps_old;   /* the operation is a revert with a safety snapshot */
	bool failing;     /* a call fails: a revert that turns back may leave its safety snapshot */
	atomic_bool done; /* the operation has returned success */
};

struct stage_shared {
	struct stage_facts facts;
	struct crashsim_report report;
	char complaints[STAGE_COMPLAINTS]; /* one a line; empty: none */
};

struct house;
struct sf_snapshot;
struct stage;

/* Disks that a backend other than `mem` and `file` provides. It must complain about anything wrong. */
struct stage_ground {
	/* Writes the specification of disk i. */
	void (*spec)(const struct stage *stage, unsigned i, char spec[static PATH_MAX]);
	/* Opens the storages and adds them with house_add_storage(). */
	int (*open)(struct house *house, struct sf_err *err);
	/*
	 * Runs after recovery and before snapshots are read. Complains about volumes that should not exist.
	 */
	void (*check)(struct house *house, struct sf_snapshot *const *snapshots, size_t n);
	/* Lists all volumes, one a line. A second start must not change the list. */
	void (*list)(const struct stage *stage, FILE *out);
};

struct stage {
	char path[PATH_MAX / 2];           /* contains state/, images/, graveyard/ and log */
	const char *storage;               /* "mem", "file", or a kind that the ground knows */
	const struct stage_ground *ground; /* NULL: `mem` disks, or image files in the stage */
	unsigned ndisks;
	struct sf_mem_world *mem;
	struct sf_sim_world *sim;
	struct stage_shared *shared;
};

/* Ends the program on failure. */
void stage_new(struct stage *stage, const char *base, const char *storage, unsigned ndisks);
void stage_free(struct stage *stage);

/* Records a complaint, one line. */
void stage_complain(struct stage *stage, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* Everything a process needs to work on a stage, without the FUSE face. */
struct house {
	struct stage *stage;
	struct sf_config config;
	struct sf_backend_env env;
	struct sf_fault_plan *plan;
	struct sf_storages storages;
	struct sf_hypervisor *sim; /* wrapped in hv */
	struct sf_hypervisor *hv;
	struct sf_engine *engine;
};

/* False, with a complaint, on failure. In either case the caller must call house_close(). */
bool house_open(struct house *house, struct stage *stage);
/* Closes the engine and the state directory; backends and guest stay open. */
void house_close_engine(struct house *house);
void house_close(struct house *house);
/* Wraps inner in house->plan and takes ownership of it. Called by a ground's open(). */
int house_add_storage(struct house *house, struct sf_storage *inner, struct sf_err *err);

/* Lets the guest tick and write the pattern of its new tick to the disks. Returns that tick. */
uint64_t house_advance(struct house *house, unsigned ticks);
struct sf_sim_view house_view(struct house *house);
struct sf_vm_desc house_vm(struct house *house);
/* The VM's id in the catalog, or 0 if the VM is not shown. */
uint64_t house_vm_id(struct house *house);

/* Opens disk i of the VM. NULL, with a complaint, on failure. */
struct sf_volume *house_volume(struct house *house, unsigned i);

/* Writes what disk i holds at tick to buf, STAGE_DISK_BYTES. */
void stage_content(unsigned i, uint64_t tick, char *buf);

#endif
