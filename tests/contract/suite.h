/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The contract suites: what every storage and every hypervisor must do, whoever implements it. A backend
 * joins with a driver: one small program that says how to make the ground it stands on and calls the runner
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
/* The VM that all disks belong to. */
#define CONTRACT_VM "contract"
/* What is written and left unwritten comes in multiples of this, so holes can be told at this fineness. */
#define CONTRACT_GRANULE (64 * 1024)
/* The least size of a disk. */
#define CONTRACT_DISK_BYTES (4 * 1024 * 1024)

/* A disk that must be refused when it is opened. */
struct contract_refusal {
	const char *spec;
	int rc;
	const char *text; /* part of the sentence */
};

struct contract_storage {
	const char *name;
	/*
	 * New ground with two blank disks of one size, and its teardown; called for each case. Asserts on
	 * failure.
	 */
	void *(*setup)(struct sf_disk disks[CONTRACT_DISKS]);
	void (*teardown)(void *ground);
	/*
	 * Opens the storage for a state directory of that id; several are open at once. Asserts on failure.
	 */
	struct sf_storage *(*open)(void *ground, const struct sf_id *state_id);
	/*
	 * Optional: opens a disk for writing as a stranger to the storage does, without waiting. Returns a
	 * descriptor or -errno.
	 */
	int (*open_writer)(void *ground, const struct sf_disk *disk);
	bool holes;  /* what was never written is a hole in images */
	bool labels; /* objects keep what they are labelled with; snapshots of others are seen */
	bool slow;   /* each change takes a tenth of a second or more: fewer rounds of what is done often */
	const struct contract_refusal *refusals;
	size_t nrefusals;
};

/* Runs the suite; main()'s result. */
int contract_storage_run(const struct contract_storage *driver);

/* --- Hypervisor --- */

struct contract_hypervisor {
	const char *name;
	/*
	 * A new hypervisor whose list holds one VM called CONTRACT_VM; called for each case. Asserts on
	 * failure.
	 */
	void *(*setup)(struct sf_hypervisor **ret);
	/* Also closes the hypervisor. */
	void (*teardown)(void *ground, struct sf_hypervisor *hv);

	unsigned caps;      /* enum sf_hypervisor_caps, which the hypervisor must have exactly */
	bool calls_any_off; /* it knows no VMs but those with a guest: any other name is one that is off */

	/* The rest is needed by backends that can do more than list. All assert on failure. */

	/* A number that grows while the guest runs and does not while it is at rest. */
	uint64_t (*progress)(void *ground);
	/* Returns when a running guest would have made progress. */
	void (*let_run)(void *ground);
	/*
	 * Called at rest: keep the VM's disks, and bring back what was kept, as the storage does around save
	 * and restore.
	 */
	void (*keep_disks)(void *ground);
	void (*return_disks)(void *ground);
};

int contract_hypervisor_run(const struct contract_hypervisor *driver);

/* --- For both and for drivers --- */

/*
 * One case, and the abilities without which it says nothing about a backend: bits, as the suite numbers them.
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

/* Gives a table of cases and its length. */
typedef size_t contract_cases_fn(const struct contract_case **ret);

struct contract_run {
	const char *name;
	contract_cases_fn *const *subjects;
	size_t nsubjects;
	const char *const *abilities; /* what a backend without that bit cannot do */
	unsigned able;
	int (*setup)(void **state); /* before each case; *state is the driver */
	int (*teardown)(void **state);
	const void *driver;
};

/* Runs the cases that make sense and names the others with the reason; main()'s result. */
int contract_run(const struct contract_run *run);

/* Asserts success; prints the sentence first otherwise. */
void contract_ok(int rc, const struct sf_err *err);
/* Asserts this failure, by code and by part of its sentence. */
void contract_failed(int rc, const struct sf_err *err, int expected, const char *text);

#endif
