/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "base/log.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

/* What a process logs whose standard error is a file. stream: JOURNAL_STREAM; "own": that of the file. */
static void logged(const char *stream, char text[static 512])
{
	char own[64];
	struct stat st;
	FILE *file = tmpfile();
	pid_t pid;

	assert_non_null(file);
	assert_int_equal(fstat(fileno(file), &st), 0);
	(void)snprintf(own, sizeof(own), "%ju:%ju", (uintmax_t)st.st_dev, (uintmax_t)st.st_ino);
	pid = fork();
	if (pid == 0) {
		(void)dup2(fileno(file), STDERR_FILENO);
		(void)unsetenv("JOURNAL_STREAM");
		(void)unsetenv("SNAPFS_DEBUG");
		if (stream)
			(void)setenv("JOURNAL_STREAM", strcmp(stream, "own") == 0 ? own : stream, 1);
		sf_log_init(false);
		sf_log(SF_LOG_ERROR, "a%s", "\n\033\302\233b");
		sf_log(SF_LOG_WARNING, "b");
		sf_log(SF_LOG_INFO, "c");
		sf_log(SF_LOG_DEBUG, "d");
		_exit(0);
	}
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	rewind(file);
	text[fread(text, 1, 511, file)] = '\0';
	(void)fclose(file);
}

static void the_journal_gets_priorities(void **state)
{
	char text[512];

	(void)state;
	logged("own", text);
	assert_string_equal(text, "<3>a???b\n<4>b\n<6>c\n");
}

static void other_outputs_get_words(void **state)
{
	static const char *const streams[] = {NULL, "", "8:1", "own?"};
	char text[512];

	(void)state;
	for (size_t i = 0; i < sizeof(streams) / sizeof(streams[0]); i++) {
		logged(streams[i], text);
		assert_string_equal(text, "snapfs: error: a???b\nsnapfs: warning: b\nsnapfs: c\n");
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_journal_gets_priorities),
		cmocka_unit_test(other_outputs_get_words),
	};

	return cmocka_run_group_tests_name("log", tests, NULL, NULL);
}
