/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The crash sweep on LVM. It runs the operations of tests/faults, kills the process with SIGKILL at every
 * point of killpoints.h, starts an engine again, and lets the oracle judge; at some points it also kills the
 * recovery. Every try of a case begins with the same VG and state directory, which are made once and
 * restored. LVM commands are real and run to their end even if their caller is killed. One TAP case for each
 * operation and storage.
 *
 * With SNAPFS_SWEEP_SECONDS in the environment, each case gets an equal share of that time: see passes.h.
 * SNAPFS_TEST_TURN, which follows from the commit, selects the first pass.
 */
#include "killpoints.h"
#include "lvm_ground.h"

#include "tests/faults/children.h"
#include "tests/faults/operations.h"
#include "tests/faults/oracle.h"
#include "tests/faults/passes.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/proc.h"

#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* More than any operation has; beyond this an operation is in an endless loop. */
#define POINTS_MAX 300
/* TOLD: faults of one case that are printed in full. ENOUGH: faults after which the case is given up. */
#define TOLD    3
#define ENOUGH  5
#define COPY_MS 60000
/* The number of passes in which a case visits all its points, if its time is limited. */
#define PASSES 8
/* In memory, because the sweep makes many stages. */
#define STAGES "/dev/shm"

static const struct {
	const char *operation, *storage;
	bool rare; /* with --all only: the storage does nothing new in it */
} cases[] = {
	{"create", "lvm_thin", false},
	{"create", "lvm_classic", false},
	{"create-two-disks", "lvm_mixed", false},
	{"delete", "lvm_thin", false},
	{"delete", "lvm_classic", false},
	{"rename", "lvm_thin", false},
	{"rename", "lvm_classic", true},
	{"revert-disks", "lvm_thin", false},
	{"revert-disks", "lvm_classic", false},
	{"revert-disks-discard", "lvm_thin", true},
	{"revert-again", "lvm_thin", true},
	{"revert-again", "lvm_classic", true},
	{"revert-again-discard", "lvm_thin", false},
	{"revert-two-disks", "lvm_mixed", false},
};
#define NCASES (sizeof(cases) / sizeof(cases[0]))

struct options {
	const char *operation, *storage;
	uint64_t k, recovery_k; /* 0: all */
	uint64_t every;         /* visit only every n-th point */
	uint64_t recover_every; /* of the points visited, kill the recovery too at every n-th */
	uint64_t seconds;       /* 0: no limit */
	uint64_t turn;          /* the pass to begin with */
	bool all, verbose;
};

struct attempt {
	const struct operation *operation;
	struct killpoints *points;
	uint64_t k;
	uint64_t recovery_k; /* 0: the recovery is not killed */
	bool verbose;
};

struct tally {
	uint64_t points, faults;
	uint64_t kills, recoveries;
	uint64_t recovery_points; /* of the longest recovery so far */
	uint64_t end;             /* the first point that the operation does not reach, once it is known */
	uint64_t until_ms;        /* see passes_share() */
};

/* The state with which every try of a case begins. */
struct beginning {
	void *pv;
	struct stage_facts facts;
};

static void need(bool ok, const char *what)
{
	if (ok)
		return;
	(void)fprintf(stderr, "sweep_lvm: %s\n", what);
	exit(1);
}

/* --- What the processes do --- */

static void prepare(struct stage *stage, const void *arg)
{
	const struct attempt *attempt = arg;
	struct house house;

	if (house_open(&house, stage))
		attempt->operation->prepare(&house);
	house_close(&house);
}

static void operate(struct stage *stage, const void *arg)
{
	const struct attempt *attempt = arg;
	struct sf_err err = {0};
	struct house house;
	int rc;

	if (!house_open(&house, stage))
		return;
	killpoints_arm(attempt->points, attempt->k);
	rc = attempt->operation->run(&house, &err);
	crashsim_point("return");
	if (rc < 0)
		stage_complain(stage, "the operation fails: %s", err.text);
	else
		atomic_store(&stage->shared->facts.done, true);
	house_close(&house);
	killpoints_die();
}

static void recover_in_vain(struct stage *stage, const void *arg)
{
	const struct attempt *attempt = arg;
	struct house house;

	killpoints_arm(attempt->points, attempt->recovery_k);
	(void)house_open(&house, stage); /* a failure is already recorded as a complaint */
	house_close(&house);
	killpoints_die();
}

static void judge(struct stage *stage, const void *arg)
{
	(void)arg;
	oracle_check(stage);
}

/* --- How a case begins --- */

static void copy_tree(const struct stage *stage, const char *from, const char *to)
{
	char source[PATH_MAX], target[PATH_MAX];
	const char *const remove[] = {"rm", "-rf", target, NULL}, *const copy[] = {"cp", "-a", source, target,
										   NULL};
	const char *const *const commands[] = {remove, copy};
	const char *const env[] = {NULL};

	(void)snprintf(source, sizeof(source), "%s/%s", stage->path, from);
	(void)snprintf(target, sizeof(target), "%s/%s", stage->path, to);
	for (size_t i = 0; i < 2; i++) {
		struct sf_proc_spec spec = {
			.argv = commands[i], .extra_env = env, .stdout_fd = -1, .stderr_fd = 2};
		struct sf_proc proc;
		int status = 1;

		need(sf_proc_start(&spec, &proc, NULL) == 0 &&
			     sf_proc_wait(&proc, COPY_MS, &status, NULL) == 0 && status == 0,
		     target);
	}
}

static void begin(struct stage *stage, const struct attempt *attempt, struct beginning *beginning)
{
	children_run(stage, prepare, attempt, 0, "the preparation");
	lvm_ground_save(stage, beginning->pv);
	copy_tree(stage, "state", "beginning");
	beginning->facts = stage->shared->facts;
}

static void begin_again(struct stage *stage, const struct beginning *beginning)
{
	char path[PATH_MAX];

	lvm_ground_restore(stage, beginning->pv);
	copy_tree(stage, "beginning", "state");
	(void)snprintf(path, sizeof(path), "%s/log", stage->path);
	(void)unlink(path);
	memset(stage->shared, 0, sizeof(*stage->shared));
	stage->shared->facts = beginning->facts;
	sf_sim_world_free(stage->sim); /* a new guest continues from the content of its disks */
	need(sf_sim_world_new(&stage->sim, NULL) == 0, "no memory for a guest");
}

/* --- One try, one case, all cases --- */

static void tell(const struct stage *stage, const struct attempt *attempt, const char *call)
{
	(void)printf("# --operation %s --storage %s --k %llu --recovery %llu: killed at '%s'\n",
		     attempt->operation->name, stage->storage, (unsigned long long)attempt->k,
		     (unsigned long long)attempt->recovery_k, call);
	children_tell(stage);
}

/* Runs one try. Returns whether the operation reached the point. */
static bool try_point(struct stage *stage, const struct attempt *attempt, const struct beginning *beginning,
		      struct tally *tally)
{
	struct killpoints *points = attempt->points;
	char call[sizeof(points->call)], after[2 * sizeof(call)];
	bool killed;

	begin_again(stage, beginning);
	children_run(stage, operate, attempt, -SIGKILL, "the operation");
	atomic_store(&points->armed, false);
	killed = *points->call;
	(void)snprintf(call, sizeof(call), "%s", killed ? points->call : "its end");
	(void)snprintf(after, sizeof(after), "%s", call);
	if (attempt->recovery_k > 0 && !*stage->shared->complaints) {
		children_run(stage, recover_in_vain, attempt, -SIGKILL, "the recovery");
		atomic_store(&points->armed, false);
		if (points->reached > tally->recovery_points)
			tally->recovery_points = points->reached;
		(void)snprintf(after, sizeof(after), "%s', its recovery at '%s", call,
			       *points->call ? points->call : "its end");
	}
	/* A run that was not killed is judged like one that was killed when it returned. */
	if (!*stage->shared->complaints && (killed || attempt->recovery_k > 0))
		children_run(stage, judge, attempt, 0, "the recovery");
	tally->points++;
	if (attempt->verbose)
		(void)printf("# %llu/%llu: killed at '%s'\n", (unsigned long long)attempt->k,
			     (unsigned long long)attempt->recovery_k, after);
	if (*stage->shared->complaints && tally->faults++ < TOLD)
		tell(stage, attempt, after);
	return killed;
}

/* At least one point is tried, however slow the machine is. */
static bool is_over(const struct tally *tally)
{
	return tally->faults >= ENOUGH || (tally->points > 0 && passes_over(tally->until_ms));
}

/* Visits the points from first on, in steps. False if it has not reached the end of the operation. */
static bool sweep_pass(const struct options *options, struct stage *stage, struct attempt attempt,
		       const struct beginning *beginning, uint64_t first, uint64_t step, struct tally *tally)
{
	for (attempt.k = first; attempt.k < tally->end; attempt.k += step) {
		if (is_over(tally))
			return false;
		attempt.recovery_k = 0;
		if (!try_point(stage, &attempt, beginning, tally)) {
			tally->end = attempt.k;
			break;
		}
		if (++tally->kills % options->recover_every == 0) {
			attempt.recovery_k = ++tally->recoveries * 5 % (tally->recovery_points + 1) + 1;
			(void)try_point(stage, &attempt, beginning, tally); /* with the same result */
		}
		if (attempt.k > POINTS_MAX) {
			(void)printf("# the operation does not end within %d points\n", POINTS_MAX);
			tally->faults++;
			return false;
		}
	}
	return true;
}

static void sweep_points(const struct options *options, struct stage *stage, struct attempt attempt,
			 const struct beginning *beginning, struct tally *tally)
{
	uint64_t npasses = options->seconds ? PASSES : 1, n = 0;

	tally->end = UINT64_MAX;
	while (n < npasses && sweep_pass(options, stage, attempt, beginning,
					 1 + (options->turn + n) % npasses * options->every,
					 npasses * options->every, tally))
		n++;
	if (tally->faults == 0)
		passes_tell(attempt.operation->name, stage->storage, tally->points, n, npasses);
}

static void sweep_case(const struct options *options, struct stage *stage, const struct operation *operation,
		       struct beginning *beginning, struct tally *tally)
{
	struct attempt attempt = {
		.operation = operation, .points = killpoints_map(stage->path), .verbose = options->verbose};

	attempt.points->with_storage_calls = options->all;
	begin(stage, &attempt, beginning);
	if (*stage->shared->complaints) {
		tally->faults++;
		children_tell(stage);
	} else if (options->k > 0) {
		attempt.k = options->k;
		attempt.recovery_k = options->recovery_k;
		(void)try_point(stage, &attempt, beginning, tally); /* just one, whether it exists or not */
	} else {
		sweep_points(options, stage, attempt, beginning, tally);
	}
}

static const struct operation *find_operation(const char *name)
{
	const struct operation *op = operations;

	while (op->name && strcmp(op->name, name) != 0)
		op++;
	need(op->name != NULL, name);
	return op;
}

/* until_ms: see passes_share(). blank: the content of a VG without volumes. */
static uint64_t run_case(const struct options *options, const char *operation, const char *storage,
			 unsigned number, uint64_t until_ms, const void *blank, struct beginning *beginning)
{
	const struct operation *op = find_operation(operation);
	uint64_t start = sf_clock_mono_ms();
	struct tally tally = {.recovery_points = 3, .until_ms = until_ms};
	struct stage stage;

	stage_new(&stage, STAGES, storage, op->ndisks);
	stage.ground = &lvm_ground;
	lvm_ground_prepare(&stage);
	lvm_ground_restore(&stage, blank);
	lvm_ground_make_disks(&stage);
	sweep_case(options, &stage, op, beginning, &tally);
	(void)printf("%sok %u - %s on %s # %llu points, %llu ms\n", tally.faults ? "not " : "", number,
		     operation, storage, (unsigned long long)tally.points,
		     (unsigned long long)(sf_clock_mono_ms() - start));
	(void)fflush(stdout);
	lvm_ground_restore(&stage, blank);
	stage_free(&stage);
	return tally.faults;
}

static void *new_copy(void)
{
	void *copy = NULL;

	need(posix_memalign(&copy, 4096, LVM_GROUND_PV_BYTES) == 0, "out of memory");
	return copy;
}

static void save_blank(void *blank)
{
	struct stage stage;

	stage_new(&stage, STAGES, "lvm_thin", 0);
	lvm_ground_prepare(&stage);
	lvm_ground_save(&stage, blank);
	stage_free(&stage);
}

static bool wanted(const char *option, const char *name)
{
	return !option || strcmp(option, name) == 0;
}

static bool is_wanted(const struct options *options, size_t i)
{
	return wanted(options->operation, cases[i].operation) && wanted(options->storage, cases[i].storage) &&
	       (options->all || !cases[i].rare);
}

static uint64_t run_cases(const struct options *options)
{
	struct beginning beginning = {.pv = new_copy()};
	auto_free void *blank = new_copy();
	uint64_t end_ms = options->seconds ? sf_clock_mono_ms() + options->seconds * 1000 : 0;
	uint64_t faults = 0, left = 0;
	unsigned n = 0;

	save_blank(blank);
	for (size_t i = 0; i < NCASES; i++)
		left += is_wanted(options, i);
	for (size_t i = 0; i < NCASES; i++)
		if (is_wanted(options, i))
			faults += run_case(options, cases[i].operation, cases[i].storage, ++n,
					   passes_share(end_ms, left--), blank, &beginning);
	(void)printf("1..%u\n", n);
	free(beginning.pv);
	return n ? faults : 1;
}

/* --- Options --- */

static void usage(void)
{
	(void)fprintf(
		stderr,
		"usage: sweep_lvm [--operation NAME] [--storage lvm_thin|lvm_classic|lvm_mixed] [--all]\n"
		"                 [--every N] [--k N [--recovery N]] [--verbose]\n"
		"--every: each N-th point; --all: also before each call of the storage, and the recovery "
		"killed\n"
		"after every point, not after each fourth.\n");
	exit(2);
}

static uint64_t number(const char *text)
{
	char *end;
	uint64_t n = strtoull(text, &end, 10);

	if (end == text || *end || n == 0)
		usage();
	return n;
}

static void parse(int argc, char **argv, struct options *options)
{
	static const struct option names[] = {{"operation", required_argument, NULL, 'o'},
					      {"storage", required_argument, NULL, 's'},
					      {"all", no_argument, NULL, 'a'},
					      {"verbose", no_argument, NULL, 'v'},
					      {"every", required_argument, NULL, 'e'},
					      {"k", required_argument, NULL, 'k'},
					      {"recovery", required_argument, NULL, 'r'},
					      {NULL, 0, NULL, 0}};
	int c;

	while ((c = getopt_long(argc, argv, "", names, NULL)) >= 0) {
		if (c == 'o')
			options->operation = optarg;
		else if (c == 's')
			options->storage = optarg;
		else if (c == 'a')
			options->all = true;
		else if (c == 'v')
			options->verbose = true;
		else if (c == 'e')
			options->every = number(optarg);
		else if (c == 'k')
			options->k = number(optarg);
		else if (c == 'r')
			options->recovery_k = number(optarg);
		else
			usage();
	}
	if (optind != argc)
		usage();
	if (options->all)
		options->recover_every = 1;
}

int main(int argc, char **argv)
{
	struct options options = {.every = 1,
				  .recover_every = 4,
				  .seconds = passes_variable("SNAPFS_SWEEP_SECONDS"),
				  .turn = passes_variable("SNAPFS_TEST_TURN") % PASSES};

	parse(argc, argv, &options);
	need(getenv("SNAPFS_TEST_VG") && getenv("SNAPFS_TEST_POOL") && getenv("SNAPFS_TEST_PV"),
	     "it wants SNAPFS_TEST_VG, SNAPFS_TEST_POOL and SNAPFS_TEST_PV: see "
	     "tests/vm/cases/sweep-lvm-create");
	return run_cases(&options) == 0 ? 0 : 1;
}
