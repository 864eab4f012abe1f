/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The crash sweep. It runs every operation on every storage, stops it at every point in every mode, starts an
 * engine again, and checks the result. Every point is tried once more with the recovery stopped too. One TAP
 * case for each operation and storage.
 *
 * With --seconds, or SNAPFS_SWEEP_SECONDS in the environment, each case gets an equal share of that time. It
 * visits every PASSES-th point of every mode, then the points after them, and so on, and prints how many
 * passes it has completed. SNAPFS_TEST_TURN, which follows from the commit, selects the first pass.
 */
#include "children.h"
#include "operations.h"
#include "oracle.h"
#include "passes.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/err.h"

#include <fcntl.h>
#include <getopt.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* More than any operation has; beyond this an operation is in an endless loop. */
#define POINTS_MAX 2000
/* TOLD: faults of one case that are printed in full. ENOUGH: faults after which the case is given up. */
#define TOLD   3
#define ENOUGH 25
/* The number of passes in which a case visits all its points. */
#define PASSES 16

static const char *const mode_names[] = {"keep", "drop", "torn", "fail"};
#define NMODES (sizeof(mode_names) / sizeof(mode_names[0]))
/* Seeds of "fail": when the power goes afterwards, and whether with what was not synced. */
#define FAIL_SEEDS 6

struct options {
	const char *operation, *storage, *dir;
	int mode; /* -1: all */
	uint64_t seed, torn_seeds;
	uint64_t k, recovery_k; /* 0: all */
	uint64_t seconds;       /* 0: no limit */
	uint64_t turn;          /* the pass to begin with */
};

struct attempt {
	const struct operation *operation;
	const char *storage;
	enum crashsim_mode mode;
	uint64_t seed, k;
	uint64_t recovery_k; /* 0: the recovery is not stopped */
};

struct tally {
	uint64_t points, faults;
	uint64_t recovery_points; /* of the longest recovery so far */
	uint64_t until_ms;        /* 0: no limit */
	uint64_t passes;
};

/* Most hosts keep images and state directory on different disks, so the sweep simulates two disks. */
static void arm(struct stage *stage, uint64_t k, enum crashsim_mode mode, uint64_t seed)
{
	static char images[PATH_MAX];
	char path[PATH_MAX];
	int graveyard;

	(void)snprintf(images, sizeof(images), "%s/images", stage->path);
	(void)snprintf(path, sizeof(path), "%s/graveyard", stage->path);
	graveyard = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (graveyard < 0)
		_exit(1);
	crashsim_own_disk(images);
	crashsim_arm(k, mode, seed, graveyard, &stage->shared->report);
}

/* --- What the processes do --- */

static void operate(struct stage *stage, const void *arg)
{
	const struct attempt *attempt = arg;
	struct house house = {.stage = stage};
	struct sf_err err = {0};
	int rc;

	if (attempt->operation->prepare && house_open(&house, stage))
		attempt->operation->prepare(&house);
	if (*stage->shared->complaints)
		return;
	stage->shared->facts.failing = attempt->mode == CRASHSIM_FAIL;
	arm(stage, attempt->k, attempt->mode, attempt->seed);
	rc = attempt->operation->run(&house, &err);
	crashsim_point("return"); /* if another thread was stopped meanwhile, the result no longer counts */
	if (rc < 0 && attempt->mode != CRASHSIM_FAIL)
		stage_complain(stage, "the operation fails: %s", err.text);
	else if (rc == 0)
		atomic_store(&stage->shared->facts.done, true);
	house_close(&house);
	crashsim_cut();
}

static void recover_in_vain(struct stage *stage, const void *arg)
{
	const struct attempt *attempt = arg;
	struct house house;

	arm(stage, attempt->recovery_k, attempt->mode, ~attempt->seed);
	(void)house_open(&house, stage); /* a failure is already recorded as a complaint */
	house_close(&house);
	crashsim_cut();
}

static void judge(struct stage *stage, const void *arg)
{
	(void)arg;
	oracle_check(stage);
}

/* --- Reporting --- */

static void tell(struct stage *stage, const struct attempt *attempt, const char *call)
{
	(void)printf("# --operation %s --storage %s --mode %s --seed %llu --k %llu --recovery "
		     "%llu: stopped at '%s'\n",
		     attempt->operation->name, attempt->storage, mode_names[attempt->mode],
		     (unsigned long long)attempt->seed, (unsigned long long)attempt->k,
		     (unsigned long long)attempt->recovery_k, call);
	children_tell(stage);
}

/* --- One try, one case, all cases --- */

/* Runs one try. Returns whether the operation reached the point. */
static bool try_point(const struct options *options, const struct attempt *attempt, struct tally *tally)
{
	char call[sizeof(((struct crashsim_report *)0)->call)], after[2 * sizeof(call)];
	struct stage stage;
	bool cut;

	stage_new(&stage, options->dir, attempt->storage, attempt->operation->ndisks);
	children_run(&stage, operate, attempt, CRASHSIM_EXIT, "the operation");
	cut = stage.shared->report.cut;
	(void)snprintf(call, sizeof(call), "%s", cut ? stage.shared->report.call : "its end");
	(void)snprintf(after, sizeof(after), "%s", call);
	if (attempt->recovery_k > 0 && !*stage.shared->complaints) {
		children_run(&stage, recover_in_vain, attempt, CRASHSIM_EXIT, "the recovery");
		if (stage.shared->report.points > tally->recovery_points)
			tally->recovery_points = stage.shared->report.points;
		(void)snprintf(after, sizeof(after), "%s', its recovery at '%s", call,
			       stage.shared->report.cut ? stage.shared->report.call : "its end");
	}
	if (!*stage.shared->complaints)
		children_run(&stage, judge, attempt, 0, "the recovery");
	tally->points++;
	if (*stage.shared->complaints && tally->faults++ < TOLD)
		tell(&stage, attempt, after);
	stage_free(&stage);
	return cut;
}

static uint64_t pick(uint64_t seed, uint64_t k, uint64_t n)
{
	return (seed * 0x9e3779b97f4a7c15 + k * 0xbf58476d1ce4e5b9) % 1000003 % n + 1;
}

/*
 * One pass over the points of a mode. The recovery is stopped once for each k, in the mode for which k %
 * turns == turn.
 */
static void sweep_mode(const struct options *options, struct attempt attempt, struct tally *tally,
		       uint64_t first, uint64_t turn, uint64_t turns)
{
	bool cut = true;

	for (attempt.k = first; cut && tally->faults < ENOUGH && !passes_over(tally->until_ms);
	     attempt.k += PASSES) {
		attempt.recovery_k = 0;
		cut = try_point(options, &attempt, tally);
		if (attempt.k % turns == turn) {
			attempt.recovery_k = pick(attempt.seed, attempt.k, tally->recovery_points + 1);
			(void)try_point(options, &attempt, tally); /* the result equals cut */
		}
		if (attempt.k >= POINTS_MAX) {
			(void)printf("# the operation does not end within %d points\n", POINTS_MAX);
			tally->faults++;
			break;
		}
	}
}

static void sweep_pass(const struct options *options, struct attempt attempt, struct tally *tally,
		       uint64_t first)
{
	uint64_t torn_end = 2 + options->torn_seeds, turns = torn_end + FAIL_SEEDS;

	for (uint64_t turn = 0; turn < turns; turn++) {
		attempt.mode = turn < 2          ? (enum crashsim_mode)turn
			       : turn < torn_end ? CRASHSIM_TORN
						 : CRASHSIM_FAIL;
		attempt.seed = options->seed + (turn < 2 ? 0 : turn - 2);
		if (options->mode >= 0 && options->mode != (int)attempt.mode)
			continue;
		if (attempt.mode == CRASHSIM_FAIL && !attempt.operation->prepare)
			continue; /* a first start that fails is told, and has nothing to lose */
		if (options->k > 0) {
			attempt.k = options->k;
			attempt.recovery_k = options->recovery_k;
			(void)try_point(options, &attempt, tally); /* just one, whether it exists or not */
			return;
		}
		sweep_mode(options, attempt, tally, first, turn, turns);
	}
}

static void sweep_case(const struct options *options, const struct attempt *attempt, struct tally *tally)
{
	uint64_t passes = options->k > 0 ? 1 : PASSES;

	for (uint64_t i = 0; i < passes && !passes_over(tally->until_ms); i++) {
		sweep_pass(options, *attempt, tally, (options->turn + i) % PASSES + 1);
		tally->passes += !passes_over(tally->until_ms);
	}
	passes_tell(attempt->operation->name, attempt->storage, tally->points, tally->passes, passes);
}

static bool wanted(const char *option, const char *name)
{
	return !option || strcmp(option, name) == 0;
}

static uint64_t count_cases(const struct options *options)
{
	uint64_t n = 0;

	for (const struct operation *op = operations; op->name; op++)
		n += 2 * (uint64_t)wanted(options->operation, op->name);
	return n;
}

static uint64_t sweep_all(const struct options *options)
{
	static const char *const storages[] = {"mem", "file"};
	uint64_t points = 0, faults = 0, ncases = 0, total = count_cases(options), seen = 0;
	uint64_t end_ms = options->seconds ? sf_clock_mono_ms() + options->seconds * 1000 : 0;

	for (const struct operation *op = operations; op->name; op++) {
		for (size_t i = 0; i < 2; i++) {
			struct attempt attempt = {.operation = op, .storage = storages[i]};
			struct tally tally = {.recovery_points = 12};
			uint64_t start = sf_clock_mono_ms();

			if (wanted(options->operation, op->name))
				seen++;
			if (!wanted(options->operation, op->name) || !wanted(options->storage, storages[i]))
				continue;
			tally.until_ms = passes_share(end_ms, total - seen + 1);
			sweep_case(options, &attempt, &tally);
			(void)printf("%sok %llu - %s on %s # %llu points, %llu ms\n",
				     tally.faults ? "not " : "", (unsigned long long)++ncases, op->name,
				     storages[i], (unsigned long long)tally.points,
				     (unsigned long long)(sf_clock_mono_ms() - start));
			(void)fflush(stdout);
			points += tally.points;
			faults += tally.faults;
		}
	}
	(void)printf("1..%llu\n# %llu points tried, %llu of them wrong\n", (unsigned long long)ncases,
		     (unsigned long long)points, (unsigned long long)faults);
	return ncases ? faults : 1;
}

/* --- Options --- */

static void usage(void)
{
	(void)fprintf(stderr, "usage: sweep [--operation NAME] [--storage mem|file] [--seed N] "
			      "[--dir DIR] [--long] [--seconds N]\n"
			      "             [--mode keep|drop|torn|fail] [--k N [--recovery N]]\n");
	exit(2);
}

static uint64_t number(const char *text)
{
	char *end;
	uint64_t n = strtoull(text, &end, 10);

	if (end == text || *end)
		usage();
	return n;
}

static int mode_number(const char *text)
{
	for (int i = 0; i < (int)NMODES; i++)
		if (strcmp(text, mode_names[i]) == 0)
			return i;
	usage();
	return -1;
}

static void parse(int argc, char **argv, struct options *options)
{
	static const struct option names[] = {{"operation", required_argument, NULL, 'o'},
					      {"storage", required_argument, NULL, 's'},
					      {"seed", required_argument, NULL, 'n'},
					      {"dir", required_argument, NULL, 'd'},
					      {"long", no_argument, NULL, 'l'},
					      {"seconds", required_argument, NULL, 't'},
					      {"mode", required_argument, NULL, 'm'},
					      {"k", required_argument, NULL, 'k'},
					      {"recovery", required_argument, NULL, 'r'},
					      {NULL, 0, NULL, 0}};
	int c;

	while ((c = getopt_long(argc, argv, "", names, NULL)) >= 0) {
		switch (c) {
		case 'o':
			options->operation = optarg;
			break;
		case 's':
			options->storage = optarg;
			break;
		case 'n':
			options->seed = number(optarg);
			break;
		case 'd':
			options->dir = optarg;
			break;
		case 'l':
			options->torn_seeds = 12;
			break;
		case 't':
			options->seconds = number(optarg);
			break;
		case 'm':
			options->mode = mode_number(optarg);
			break;
		case 'k':
			options->k = number(optarg);
			break;
		case 'r':
			options->recovery_k = number(optarg);
			break;
		default:
			usage();
		}
	}
	if (optind != argc)
		usage();
}

/* A directory in memory if there is one: the sweep makes thousands of stages. */
static const char *default_dir(void)
{
	const char *tmp = getenv("TMPDIR");

	if (access("/dev/shm", W_OK | X_OK) == 0)
		return "/dev/shm";
	return tmp ? tmp : "/tmp";
}

int main(int argc, char **argv)
{
	struct options options = {.mode = -1,
				  .seed = 1,
				  .torn_seeds = 2,
				  .seconds = passes_variable("SNAPFS_SWEEP_SECONDS"),
				  .turn = passes_variable("SNAPFS_TEST_TURN") % PASSES};
	auto_free char *dir = NULL;

	parse(argc, argv, &options);
	dir = realpath(options.dir ? options.dir : default_dir(), NULL);
	if (!dir) {
		perror(options.dir);
		return 2;
	}
	options.dir = dir;
	(void)printf("# seed %llu, in %s\n", (unsigned long long)options.seed, dir);
	return sweep_all(&options) == 0 ? 0 : 1;
}
