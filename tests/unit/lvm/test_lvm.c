/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Running LVM commands: their arguments, output and failures, and one command at a time whoever is killed. */
#include "lvm_fixture.h"

#define THREADS   4
#define ROUNDS    8
#define nitems(a) (sizeof(a) / sizeof((a)[0]))

/* --- one command --- */

static void what_a_command_prints_is_returned(void **state)
{
	const struct fixture *f = *state;
	const char *const longer[] = {"say", "many", "more words", NULL}, *const shorter[] = {"say", "x",
											      NULL};
	auto_free char *first = NULL, *second = NULL;

	assert_int_equal(sf_lvm_run(f->lvm, "vg0", longer, &first, NULL), 0);
	assert_string_equal(first, "say many more words\n");
	assert_int_equal(sf_lvm_run(f->lvm, "vg0", shorter, &second, NULL), 0);
	assert_string_equal(second, "say x\n");
	assert_int_equal(sf_lvm_run(f->lvm, "vg0", shorter, NULL, NULL), 0);
	assert_int_equal(count(f, "begin say"), 3);
}

static void the_environment_is_clean(void **state)
{
	const struct fixture *f = *state;
	const char *const argv[] = {"env", NULL};
	bool no_udev = access("/run/udev/control", F_OK) < 0;
	const char *old = getenv("LVM_SYSTEM_DIR");
	auto_free char *saved = strdup(old ? old : ""), *text = NULL;

	assert_int_equal(setenv("LVM_SYSTEM_DIR", "/etc/lvm-of-test", 1), 0);
	assert_int_equal(setenv("LVM_SUPPRESS_FD_WARNINGS", "1", 1), 0);
	assert_int_equal(sf_lvm_run(f->lvm, "vg0", argv, &text, NULL), 0);
	if (old)
		assert_int_equal(setenv("LVM_SYSTEM_DIR", saved, 1), 0);
	else
		assert_int_equal(unsetenv("LVM_SYSTEM_DIR"), 0);
	assert_non_null(strstr(text, "LC_ALL=C\n"));
	assert_non_null(strstr(text, "LVM_SYSTEM_DIR=/etc/lvm-of-test\n"));
	assert_null(strstr(text, "LVM_SUPPRESS_FD_WARNINGS"));
	assert_int_equal(strstr(text, "DM_DISABLE_UDEV=1\n") != NULL, no_udev);
}

/* Messages of real commands of LVM 2.03.16. */
static void failures_have_their_sense(void **state)
{
	static const struct {
		int rc;
		const char *said, *text;
	} cases[] = {
		{-ENODEV, "  Volume group \"nope\" not found\n  Cannot process volume group nope\n",
		 "VG vg0: fail: Volume group \"nope\" not found; Cannot process volume group nope"},
		{-ENOENT, "  Failed to find logical volume \"vg0/nope\"\n",
		 "find logical volume \"vg0/nope\""},
		{-ENOENT, "  Snapshot origin LV nope not found in Volume group vg0.\n",
		 "Snapshot origin LV nope"},
		{-ENOENT, "  Logical volume nope not found in volume group vg0.\n", "volume nope not found"},
		{-ENOENT, "  Existing logical volume \"nope\" not found in volume group \"vg0\"\n",
		 "Existing"},
		{-EPERM, "  Volume group vg0 is exported\n", "Volume group vg0 is exported"},
		{-EPERM,
		 "  Volume vg0/snap is not active locally (volume_list activation filter?).\n"
		 "  Aborting. Failed to wipe snapshot exception store.\n",
		 "volume_list activation filter"},
		{-EIO,
		 "  WARNING: Couldn't find device with uuid 2sxSkH-aOFY-y3pB-6IoB-pxZH-zLtM-v3NNGB.\n"
		 "  WARNING: VG vg1 is missing PV 2sxSkH-aOFY-y3pB-6IoB-pxZH-zLtM-v3NNGB (last written to "
		 "/dev/ubdb).\n"
		 "  Cannot change VG vg1 while PVs are missing.\n"
		 "  See vgreduce --removemissing and vgextend --restoremissing.\n  Cannot process volume "
		 "group vg1\n",
		 "fail: Cannot change VG vg1 while PVs are missing.; See"},
		{-EIO,
		 "  WARNING: VG vg1 is missing PV 2sxSkH-aOFY-y3pB-6IoB-pxZH-zLtM-v3NNGB (last written to "
		 "/dev/ubdb).\n"
		 "  Refusing activation of partial LV vg1/span.  Use '--activationmode partial' to "
		 "override.\n",
		 "partial LV vg1/span"},
		{-EBUSY, "  Logical volume vg0/web in use.\n", "vg0/web in use."},
		{-EBUSY, "  Logical volume vg0/plain is used by another device.\n", "another device"},
		{-EBUSY, "  Logical volume vg0/plain contains a filesystem in use.\n", "a filesystem in use"},
		{-EBUSY,
		 "  /run/lock/lvm/V_vg0: flock failed: Resource temporarily unavailable\n  Can't get lock "
		 "for vg0.\n"
		 "  Cannot process volume group vg0\n",
		 "Can't get lock for vg0."},
		{-ENOSPC, "  Volume group \"vg0\" has insufficient free space (0 extents): 2 required.\n",
		 "2 required"},
		{-ENOSPC, "  Insufficient free space: 2 extents needed, but only 0 available\n",
		 "only 0 available"},
		{-ENOSPC, "  Insufficient suitable allocatable extents found for logical volume c.\n",
		 "suitable"},
		{-ENOSPC,
		 "  WARNING: Thin pool vg0/pool is out of data space.\n"
		 "  Cannot create new thin volume, free space in thin pool vg0/pool reached threshold.\n",
		 "fail: Cannot create new thin volume"},
		{-EEXIST, "  Logical Volume \"s2b\" already exists in volume group \"vg0\"\n",
		 "\"s2b\" already exists"},
		{-EIO, "  Names starting \"snapshot\" are reserved. Please choose a different LV name.\n",
		 "reserved"},
		{-EIO, "", "fail: failed without a message"},
	};
	const struct fixture *f = *state;

	for (size_t i = 0; i < nitems(cases); i++) {
		struct sf_err err = {0};

		put(f, "complaint", cases[i].said, 0600);
		failed(run(f->lvm, "fail", &err), cases[i].rc, &err, cases[i].text);
	}
}

/* Warnings, and messages about other missing objects, do not decide the kind of a failure. */
static void senses_are_not_mixed_up(void **state)
{
	static const struct {
		int rc;
		const char *said;
	} cases[] = {
		{-EBUSY,
		 "  WARNING: Thin pool vg0/pool is out of data space.\n  Logical volume vg0/web in use.\n"},
		{-EIO, "  WARNING: PV /dev/sdb in VG vg0 is in use by another host.\n  Command failed.\n"},
		{-ENOSPC, "  Device /dev/sdz not found.\n"
			  "  Volume group \"vg0\" has insufficient free space (0 extents): 2 required.\n"},
		{-ENODEV, "  Volume group \"vg1\" is odd\n  Volume group \"vg0\" not found\n"},
	};
	const struct fixture *f = *state;

	for (size_t i = 0; i < nitems(cases); i++) {
		struct sf_err err = {0};

		put(f, "complaint", cases[i].said, 0600);
		failed(run(f->lvm, "fail", &err), cases[i].rc, &err, "VG vg0: fail: ");
	}
}

/* The text is truncated; the failure is still classified by all of it. */
static void the_sense_may_be_far_behind(void **state)
{
	const struct fixture *f = *state;
	struct sf_err err = {0};
	char said[4096] = "";

	for (size_t len = 0; len < 3000; len = strlen(said))
		(void)snprintf(said + len, sizeof(said) - len, "  /dev/sdb: open failed: No medium found\n");
	(void)snprintf(said + strlen(said), sizeof(said) - strlen(said),
		       "  Logical volume vg0/web in use.\n");
	put(f, "complaint", said, 0600);
	failed(run(f->lvm, "fail", &err), -EBUSY, &err, "VG vg0: fail: /dev/sdb: open failed");
	assert_non_null(strstr(err.text, "…"));
}

static void a_failed_command_returns_no_output(void **state)
{
	const struct fixture *f = *state;
	const char *const argv[] = {"fail", NULL}, *const flood[] = {"flood", NULL};
	char *said = (char *)(uintptr_t)8;
	struct sf_err err = {0};

	put(f, "complaint", "  Logical volume vg0/web in use.\n", 0600);
	assert_int_equal(sf_lvm_run(f->lvm, "vg0", argv, &said, NULL), -EBUSY);
	failed(sf_lvm_run(f->lvm, "vg0", flood, &said, &err), -EFBIG, &err,
	       "VG vg0: flood: a command printed");
	assert_int_equal((uintptr_t)said, 8);
}

static void a_command_that_is_killed_has_failed(void **state)
{
	const struct fixture *f = *state;
	struct sf_err err = {0};

	failed(run(f->lvm, "die", &err), -EIO, &err, "VG vg0: die: failed without a message");
	ran(f->lvm, "say");
}

static void too_many_arguments_are_refused(void **state)
{
	const struct fixture *f = *state;
	const char *argv[66] = {NULL};
	struct sf_err err = {0};

	for (size_t i = 0; i < 65; i++)
		argv[i] = "say";
	failed(sf_lvm_run(f->lvm, "vg0", argv, NULL, &err), -E2BIG, &err, "more than 64 arguments");
	argv[64] = NULL;
	assert_int_equal(sf_lvm_run(f->lvm, "vg0", argv, NULL, NULL), 0);
	assert_int_equal(count(f, "begin"), 1);
}

/* ENOENT would be mistaken for a missing volume. */
static void a_program_that_has_gone_is_no_missing_volume(void **state)
{
	struct fixture *f = *state;
	struct sf_err err = {0};

	drop(f, "lvm");
	failed(run(f->lvm, "lvremove", &err), -EIO, &err, "lvremove: run ");
}

/* --- one at a time --- */

struct worker {
	struct sf_lvm *lvm;
	const char *command;
	int rc;
	struct sf_err err;
};

static void *work(void *arg)
{
	struct worker *worker = arg;

	for (int i = 0; i < ROUNDS && worker->rc == 0; i++)
		worker->rc = run(worker->lvm, worker->command, &worker->err);
	return NULL;
}

static void *work_once(void *arg)
{
	struct worker *worker = arg;

	worker->rc = run(worker->lvm, worker->command, &worker->err);
	return NULL;
}

static void two_daemons_never_run_commands_at_once(void **state)
{
	struct fixture *f = *state;
	struct sf_lvm *second = new_lvm(f);
	struct worker workers[THREADS];
	pthread_t threads[THREADS];

	for (size_t i = 0; i < THREADS; i++) {
		workers[i] = (struct worker){.lvm = i % 2 ? f->lvm : second, .command = "say"};
		assert_int_equal(pthread_create(&threads[i], NULL, work, &workers[i]), 0);
	}
	for (size_t i = 0; i < THREADS; i++) {
		pthread_join(threads[i], NULL);
		if (workers[i].rc < 0)
			fail_msg("%s", workers[i].err.text);
	}
	assert_int_equal(count(f, "end say"), THREADS * ROUNDS);
	assert_int_equal(count(f, "overlap"), 0);
	sf_lvm_unref(second);
}

static void a_command_past_its_deadline_goes_on_undisturbed(void **state)
{
	struct fixture *f = *state;
	struct sf_err err = {0};

	f->config.deadline_ms = SHORT_MS;
	failed(run(f->lvm, "wait", &err), -ETIMEDOUT, &err, "VG vg0: wait: process ");
	failed(run(f->lvm, "say", &err), -ETIMEDOUT, &err,
	       "VG vg0: an earlier LVM command is still running at the deadline");
	assert_int_equal(count(f, "begin say"), 0);
	assert_int_equal(count(f, "end wait"), 0);
	f->config.deadline_ms = LONG_MS;
	await_log(f, "begin wait");
	open_gate(f);
	ran(f->lvm, "say");
	assert_int_equal(count(f, "end wait\nbegin say"), 1);
	ran(f->lvm, "say"); /* the late command can be reaped now */
	assert_true(waitpid(-1, NULL, WNOHANG) < 0 && errno == ECHILD);
}

static void the_next_command_waits_for_a_late_one(void **state)
{
	struct fixture *f = *state;
	struct worker next = {.lvm = f->lvm, .command = "say"};
	pthread_t thread;

	f->config.deadline_ms = SHORT_MS;
	assert_int_equal(run(f->lvm, "wait", NULL), -ETIMEDOUT);
	f->config.deadline_ms = LONG_MS;
	assert_int_equal(pthread_create(&thread, NULL, work_once, &next), 0);
	await_log(f, "begin wait");
	open_gate(f);
	pthread_join(thread, NULL);
	assert_int_equal(next.rc, 0);
	assert_int_equal(count(f, "end wait\nbegin say"), 1);
	assert_int_equal(count(f, "overlap"), 0);
}

static void a_thread_waits_for_the_others_until_its_deadline(void **state)
{
	struct fixture *f = *state;
	struct worker first = {.lvm = f->lvm, .command = "wait"};
	struct sf_err err = {0};
	pthread_t thread;

	assert_int_equal(pthread_create(&thread, NULL, work_once, &first), 0);
	await_log(f, "begin wait");
	sf_lvm_changed(f->lvm, "vg0"); /* takes the lock that the thread held after it read its deadline */
	f->config.deadline_ms = SHORT_MS;
	failed(run(f->lvm, "say", &err), -ETIMEDOUT, &err, "say in VG vg0: waited for another LVM command");
	open_gate(f);
	pthread_join(thread, NULL);
	assert_int_equal(first.rc, 0);
	assert_int_equal(count(f, "begin say"), 0);
}

/* A command that survives a killed daemon still holds the lock. */
static void the_lock_outlives_a_killed_daemon(void **state)
{
	struct fixture *f = *state;
	struct sf_err err = {0};
	pid_t daemon = fork();

	assert_true(daemon >= 0);
	if (daemon == 0)
		_exit(run(new_lvm(f), "wait", NULL) == 0);
	await_log(f, "begin wait");
	assert_int_equal(kill(daemon, SIGKILL), 0);
	assert_int_equal(waitpid(daemon, NULL, 0), daemon);
	f->config.deadline_ms = SHORT_MS;
	failed(run(f->lvm, "say", &err), -ETIMEDOUT, &err, "an earlier LVM command is still running");
	assert_int_equal(count(f, "begin say"), 0);
	f->config.deadline_ms = LONG_MS;
	open_gate(f);
	ran(f->lvm, "say");
	assert_int_equal(count(f, "end wait\nbegin say"), 1);
}

/* An instance that is released while its command runs leaves that alone, too. */
static void an_instance_may_end_before_its_command(void **state)
{
	struct fixture *f = *state;
	struct sf_lvm *other = new_lvm(f);

	f->config.deadline_ms = SHORT_MS;
	assert_int_equal(run(other, "wait", NULL), -ETIMEDOUT);
	sf_lvm_unref(other);
	f->config.deadline_ms = LONG_MS;
	await_log(f, "begin wait");
	open_gate(f);
	ran(f->lvm, "say");
	assert_int_equal(count(f, "end wait\nbegin say"), 1);
	assert_true(waitpid(-1, NULL, 0) > 0); /* nobody else reaps it */
}

/* --- the instance --- */

static void refused(const struct fixture *f, const char *program, const char *run_dir, int rc,
		    const char *text)
{
	const struct sf_lvm_options options = {
		.program = program, .run_dir = run_dir, .state_dir = f->dir, .config = &f->config};
	static const char *const argv[] = {"say", NULL};
	struct sf_lvm *lvm = NULL;
	struct sf_err err = {0};
	int got = sf_lvm_new(&options, &lvm, &err);

	if (got == 0) /* the run directory is checked when it is first needed */
		got = sf_lvm_run(lvm, "vg0", argv, NULL, &err);
	failed(got, rc, &err, text);
	sf_lvm_unref(lvm);
}

static void an_instance_knows_what_it_was_given(void **state)
{
	struct fixture *f = *state;
	struct stat st;

	assert_ptr_equal(f->lvm->config, &f->config);
	assert_string_equal(f->lvm->state_dir, f->dir);
	assert_int_equal(stat(f->run_dir, &st), -1); /* created when it is first needed */
	assert_ptr_equal(sf_lvm_ref(f->lvm), f->lvm);
	sf_lvm_unref(f->lvm);
	ran(f->lvm, "say");
	assert_int_equal(stat(f->run_dir, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0700);
	sf_lvm_unref(NULL);
}

static void without_lvm_there_is_no_instance(void **state)
{
	const struct fixture *f = *state;

	refused(f, "/nowhere/lvm", f->run_dir, -ENOENT, "/nowhere/lvm is not installed");
	refused(f, "snapfs-no-such", f->run_dir, -ENOENT, "snapfs-no-such is not installed");
}

static void a_run_directory_of_others_is_refused(void **state)
{
	struct fixture *f = *state;
	char link[2048], file[2048], below[2048];

	ran(f->lvm, "say");
	assert_int_equal(chmod(f->run_dir, 0770), 0);
	refused(f, f->program, f->run_dir, -EPERM, "belongs to someone else, or others may write to it");
	assert_int_equal(chmod(f->run_dir, 0702), 0);
	refused(f, f->program, f->run_dir, -EPERM, "others may write to it");
	assert_int_equal(chmod(f->run_dir, 0755), 0);
	sf_lvm_unref(f->lvm);
	f->lvm = new_lvm(f);
	(void)snprintf(link, sizeof(link), "%s/link", f->dir);
	assert_int_equal(symlink(f->run_dir, link), 0);
	refused(f, f->program, link, -ENOTDIR, "link");
	(void)snprintf(file, sizeof(file), "%s/log", f->dir);
	refused(f, f->program, file, -ENOTDIR, "log");
	(void)snprintf(below, sizeof(below), "%s/no/such", f->dir);
	refused(f, f->program, below, -ENOENT, "make ");
	if (geteuid() != 0) {
		printf("# skipped: another owner, which only root can set\n");
		return;
	}
	assert_int_equal(chown(f->run_dir, 65534, 65534), 0);
	refused(f, f->program, f->run_dir, -EPERM, "belongs to someone else");
}

static void a_link_in_place_of_the_lock_is_not_followed(void **state)
{
	const struct fixture *f = *state;
	struct sf_err err = {0};
	char lock[2048];

	ran(f->lvm, "say");
	(void)snprintf(lock, sizeof(lock), "%s/lvm.lock", f->run_dir);
	assert_int_equal(unlink(lock), 0);
	assert_int_equal(symlink("../log", lock), 0);
	failed(run(f->lvm, "say", &err), -ELOOP, &err, "lvm.lock: ");
	assert_int_equal(count(f, "begin"), 1); /* the command that created the directory */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(what_a_command_prints_is_returned),
		CASE(the_environment_is_clean),
		CASE(failures_have_their_sense),
		CASE(senses_are_not_mixed_up),
		CASE(the_sense_may_be_far_behind),
		CASE(a_failed_command_returns_no_output),
		CASE(a_command_that_is_killed_has_failed),
		CASE(too_many_arguments_are_refused),
		CASE(a_program_that_has_gone_is_no_missing_volume),
		CASE(two_daemons_never_run_commands_at_once),
		CASE(a_command_past_its_deadline_goes_on_undisturbed),
		CASE(the_next_command_waits_for_a_late_one),
		CASE(a_thread_waits_for_the_others_until_its_deadline),
		CASE(the_lock_outlives_a_killed_daemon),
		CASE(an_instance_may_end_before_its_command),
		CASE(an_instance_knows_what_it_was_given),
		CASE(without_lvm_there_is_no_instance),
		CASE(a_run_directory_of_others_is_refused),
		CASE(a_link_in_place_of_the_lock_is_not_followed),
	};

	return cmocka_run_group_tests_name("lvm", tests, NULL, NULL);
}
