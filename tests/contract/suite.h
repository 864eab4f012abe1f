/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The contract suites: what every storage and every hypervisor must do, whichever backend implements it. A
 * backend joins with a driver, a small program that describes how to set up the backend and calls the runner
 * from main().
 */
#ifndef SF_TESTS_CONTRACT_SUITE_H
#define SF_TESTS_CONTRACT_SUITE_H

#include "core/contract/hypervisor.h"
#include "core/contract/storage.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct sf_err;

/* --- Storage --- */

#define CONTRACT_DISKS 2
/* The VM that owns all disks. */
#define CONTRACT_VM "contract"
/* Data and holes come in multiples of this, so a backend needs no finer resolution to report holes. */
#define CONTRACT_GRANULE (64 * 1024)
/* The minimal size of a disk. */
#define CONTRACT_DISK_BYTES (4 * 1024 * 1024)

/* A disk specification that the storage must refuse to open. */
struct contract_refusal {
	const char *spec;
	int rc;
	const char *text; /* a part of the error text */
};

struct contract_storage {
	const char *name;
	/*
	 * Sets up two blank disks of the same size, for each case. Returns what teardown frees. Asserts on
	 * failure.
	 */
	void *(*setup)(struct sf_disk disks[CONTRACT_DISKS]);
	void (*teardown)(void *ground);
	/*
	 * Opens the storage for a state directory with this id. Several may be open at once. Asserts on
	 * failure.
	 */
	struct sf_storage *(*open)(void *ground, const struct sf_id *state_id);
	/*
	 * Optional. Opens a disk for writing as a foreign program does, without waiting. Returns a descriptor
	 * or a negative errno.
	 */
	int (*open_writer)(void *ground, const struct sf_disk *disk);
	/* Optional, where the storage can make a lost disk again: loses a disk that nobody has open. */
	void (*lose)(void *ground, const struct sf_disk *disk);
	bool holes;  /* images report ranges that were never written as holes */
	bool labels; /* objects keep their labels, and foreign snapshots are listed */
	bool slow;   /* each change takes 0.1 s or more: the suite repeats frequent operations less often */
	const struct contract_refusal *refusals;
	size_t nrefusals;
};

/* Runs the suite. Returns the result for main(). */
int contract_storage_run(const struct contract_storage *driver);

/* --- Hypervisor --- */

struct contract_hypervisor {
	const char *name;
	/*
	 * Makes a hypervisor that lists exactly one VM, CONTRACT_VM, for each case. Returns what teardown
	 * frees. Asserts on failure.
	 */
	void *(*setup)(struct sf_hypervisor **ret);
	/* Also closes the hypervisor. */
	void (*teardown)(void *ground, struct sf_hypervisor *hv);

	unsigned caps;      /* enum sf_hypervisor_caps: exactly the abilities that it must report */
	bool calls_any_off; /* knows only VMs that run, so it reports any other name as off */

	/* Backends that can do more than list need the rest. All callbacks assert on failure. */

	/* A counter that grows while the guest runs and stands still while it is paused or off. */
	uint64_t (*progress)(void *ground);
	/* Returns once a running guest would have made progress. */
	void (*let_run)(void *ground);
	/*
	 * Called while the guest is paused or off. They keep and restore the content of the VM's disks, as
	 * the storage does around save and restore.
	 */
	void (*keep_disks)(void *ground);
	void (*return_disks)(void *ground);
};

int contract_hypervisor_run(const struct contract_hypervisor *driver);

/* --- Both suites, and drivers --- */

/*
 * A case and the abilities it needs, as bits that each suite defines. It is skipped for a backend without
 * them.
 */
struct contract_case {
	const char *name;
	void (*run)(void **state);
	unsigned needs;
};
#define CONTRACT_CASE(function, needs)                                                                       \
	{                                                                                                    \
#function, function, needs                                                                   \
	}

/* Returns a table of cases and its length. */
typedef size_t contract_cases_fn(const struct contract_case **ret);

struct contract_run {
	const char *name;
	contract_cases_fn *const *subjects;
	size_t nsubjects;
	const char *const *abilities; /* for each bit, what a backend without it cannot do */
	unsigned able;
	int (*setup)(void **state); /* runs before each case; *state is the driver */
	int (*teardown)(void **state);
	const void *driver;
};

/*
 * Runs the cases that the abilities permit and prints the others with the reason. Returns the result for
 * main().
 */
int contract_run(const struct contract_run *run);

/* Asserts success; prints the error text first if there is one. */
void contract_ok(int rc, const struct sf_err *err);
/* Asserts this failure: the code, and a part of the error text. */
void contract_failed(int rc, const struct sf_err *err, int expected, const char *text);

#endif
