/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "base/signals.h"

#include "unit/base/stopped_fixture.h"

static bool ask(uint64_t pending, uint64_t shared, uint64_t blocked, uint64_t ignored, uint64_t caught)
{
	char text[1000];
	FILE *status;
	bool asked;

	(void)snprintf(text, sizeof(text),
		       "Name:\tmkdir\nState:\tD (disk sleep)\nSigQ:\t0/96299\nSigPnd:\t%016" PRIx64
		       "\nShdPnd:\t%016" PRIx64 "\nSigBlk:\t%016" PRIx64 "\nSigIgn:\t%016" PRIx64
		       "\nSigCgt:\t%016" PRIx64 "\nCapInh:\tffffffffffffffff\n",
		       pending, shared, blocked, ignored, caught);
	status = fmemopen(text, strlen(text), "r");
	assert_non_null(status);
	asked = sf_signals_ask_to_end(status);
	assert_int_equal(fclose(status), 0);
	return asked;
}

static uint64_t bit(int signal)
{
	return 1ULL << (signal - 1);
}

static void a_signal_that_ends_its_process_asks(void **state)
{
	static const int fatal[] = {SIGHUP,  SIGINT,  SIGQUIT, SIGABRT, SIGKILL, SIGUSR1,
				    SIGPIPE, SIGALRM, SIGTERM, 34,      64};

	(void)state;
	for (size_t i = 0; i < sizeof(fatal) / sizeof(fatal[0]); i++) {
		assert_true(ask(bit(fatal[i]), 0, 0, 0, 0));
		assert_true(ask(0, bit(fatal[i]), 0, 0, 0));
		assert_true(ask(bit(SIGCHLD), bit(fatal[i]), 0, 0, bit(SIGCHLD)));
	}
}

static void a_signal_that_does_not_end_its_process_asks_nothing(void **state)
{
	static const int harmless[] = {SIGCHLD, SIGCONT, SIGSTOP, SIGTSTP,
				       SIGTTIN, SIGTTOU, SIGURG,  SIGWINCH};

	(void)state;
	assert_false(ask(0, 0, 0, 0, 0));
	for (size_t i = 0; i < sizeof(harmless) / sizeof(harmless[0]); i++) {
		assert_false(ask(bit(harmless[i]), bit(harmless[i]), 0, 0, 0));
		assert_false(ask(bit(harmless[i]), 0, 0, 0, bit(harmless[i])));
	}
}

static void a_caught_signal_asks_only_if_it_is_a_request(void **state)
{
	static const int requests[] = {SIGHUP, SIGINT, SIGQUIT, SIGTERM};

	(void)state;
	for (size_t i = 0; i < sizeof(requests) / sizeof(requests[0]); i++)
		assert_true(ask(0, bit(requests[i]), 0, 0, UINT64_MAX));
	assert_false(ask(bit(SIGUSR1), bit(SIGALRM) | bit(34), 0, 0, UINT64_MAX));
}

static void a_blocked_or_ignored_signal_asks_nothing(void **state)
{
	(void)state;
	assert_false(ask(bit(SIGTERM), bit(SIGINT), bit(SIGTERM) | bit(SIGINT), 0, 0));
	assert_false(ask(bit(SIGTERM), bit(SIGINT), 0, bit(SIGTERM) | bit(SIGINT), 0));
	assert_true(ask(bit(SIGTERM), bit(SIGINT), bit(SIGTERM), 0, 0));
}

/* The kernel prints all groups of a process, up to 65,536, before its signals. */
static void a_long_list_of_groups_hides_nothing(void **state)
{
	FILE *status = tmpfile();

	(void)state;
	assert_non_null(status);
	assert_true(fputs("Name:\tmkdir\nGroups:\t", status) >= 0);
	for (unsigned i = 0; i < 65536; i++)
		assert_true(fprintf(status, "%u ", 4000000000U + i) > 0);
	assert_true(fputs("\nSigPnd:\t0000000000000100\n", status) >= 0);
	rewind(status);
	assert_true(sf_signals_ask_to_end(status));
	assert_int_equal(fclose(status), 0);
}

static void the_kernel_says_it_of_a_thread(void **state)
{
	pid_t pid = stopped_child();

	(void)state;
	assert_false(sf_thread_asked_to_end(pid));
	assert_int_equal(kill(pid, SIGCHLD), 0);
	assert_false(sf_thread_asked_to_end(pid));
	assert_int_equal(kill(pid, SIGTERM), 0);
	assert_true(sf_thread_asked_to_end(pid));
	end_child(pid);
	assert_false(sf_thread_asked_to_end(pid));
	assert_false(sf_thread_asked_to_end(0));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_signal_that_ends_its_process_asks),
		cmocka_unit_test(a_signal_that_does_not_end_its_process_asks_nothing),
		cmocka_unit_test(a_caught_signal_asks_only_if_it_is_a_request),
		cmocka_unit_test(a_blocked_or_ignored_signal_asks_nothing),
		cmocka_unit_test(a_long_list_of_groups_hides_nothing),
		cmocka_unit_test(the_kernel_says_it_of_a_thread),
	};

	return cmocka_run_group_tests_name("signals", tests, NULL, NULL);
}
