/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Fixture for the LVM command runner. A script in a temporary directory replaces lvm: it logs when it begins
 * and ends, and whether another one runs at the same time. Its first argument selects what it does, see
 * SCRIPT.
 */
#ifndef TESTS_UNIT_LVM_FIXTURE_H
#define TESTS_UNIT_LVM_FIXTURE_H

#include "backends/lvm/command.h"
#include "backends/lvm/instance.h"
#include "backends/lvm/report.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/durable.h"
#include "base/err.h"
#include "base/io.h"
#include "core/config/config.h"
#include "lib/tmpdir.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#define LONG_MS  60000
#define SHORT_MS 100
#define DATA     SF_SOURCE_ROOT "/tests/unit/data/lvs.json"
/*
 * wait: block until the FIFO gate is opened for writing. fail: fail with the text of the file complaint. lvs:
 * print real output, for any VG.
 */
#define SCRIPT                                                                                               \
	"#!/bin/sh\n"                                                                                        \
	"cd '%s' || exit 99\n"                                                                               \
	"echo \"begin $*\" >>log\n"                                                                          \
	"mkdir busy || echo overlap >>log\n"                                                                 \
	"status=0\n"                                                                                         \
	"for vg; do :; done\n"                                                                               \
	"case $1 in\n"                                                                                       \
	"wait) cat gate >/dev/null ;;\n"                                                                     \
	"say) echo \"$*\"; echo aside >&2 ;;\n"                                                              \
	"env) env ;;\n"                                                                                      \
	"die) rmdir busy; kill -9 $$ ;;\n"                                                                   \
	"flood) head -c 67108865 /dev/zero ;;\n"                                                             \
	"fail) cat complaint >&2; echo said; status=5 ;;\n"                                                  \
	"lvs) [ ! -e slow ] || cat gate >/dev/null\n"                                                        \
	"     if [ -e complaint ]; then cat complaint >&2; status=5; else sed "                              \
	"\"s/\\\"vg0\\\"/\\\"$vg\\\"/\" '" DATA "'; fi ;;\n"                                                 \
	"esac\n"                                                                                             \
	"rmdir busy\n"                                                                                       \
	"echo \"end $1\" >>log\n"                                                                            \
	"exit $status\n"

struct fixture {
	char dir[1024];
	char program[1040];
	char run_dir[1040];
	struct sf_lvm_config config; /* shared by all instances, later ones included */
	struct sf_lvm *lvm;
};

static inline void failed(int rc, int want, const struct sf_err *err, const char *text)
{
	if (rc != want || err->code != want || !strstr(err->text, text))
		fail_msg("got %d and \"%s\" instead of %d and \"%s\"", rc, err->text, want, text);
}

static inline void put(const struct fixture *f, const char *name, const char *text, mode_t mode)
{
	char path[2048];
	auto_fd int fd = -1;

	(void)snprintf(path, sizeof(path), "%s/%s", f->dir, name);
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, mode);
	assert_true(fd >= 0);
	assert_int_equal(sf_write_all(fd, text, strlen(text)), 0);
}

static inline void drop(const struct fixture *f, const char *name)
{
	char path[2048];

	(void)snprintf(path, sizeof(path), "%s/%s", f->dir, name);
	assert_int_equal(unlink(path), 0);
}

static inline struct sf_lvm *new_lvm(struct fixture *f)
{
	const struct sf_lvm_options options = {.program = f->program,
					       .run_dir = f->run_dir,
					       .state_dir = f->dir,
					       .config = &f->config,
					       .state_id = sf_id_new()};
	struct sf_lvm *lvm = NULL;
	struct sf_err err = {0};

	if (sf_lvm_new(&options, &lvm, &err) < 0)
		fail_msg("%s", err.text);
	return lvm;
}

static inline int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));
	char script[8192], gate[2048];

	assert_non_null(f);
	assert_non_null(test_tmpdir(f->dir, sizeof(f->dir), "lvm"));
	(void)snprintf(f->program, sizeof(f->program), "%s/lvm", f->dir);
	(void)snprintf(f->run_dir, sizeof(f->run_dir), "%s/run", f->dir);
	(void)snprintf(script, sizeof(script), SCRIPT, f->dir);
	put(f, "lvm", script, 0700);
	put(f, "log", "", 0600);
	(void)snprintf(gate, sizeof(gate), "%s/gate", f->dir);
	assert_int_equal(mkfifo(gate, 0600), 0);
	f->config.deadline_ms = LONG_MS;
	f->lvm = new_lvm(f);
	*state = f;
	return 0;
}

static inline int remove_one(const char *path, const struct stat *st, int flag, struct FTW *ftw)
{
	(void)st, (void)flag, (void)ftw;
	return remove(path);
}

static inline int teardown(void **state)
{
	struct fixture *f = *state;
	auto_fd int gate = -1;
	char path[2048];

	sf_lvm_unref(f->lvm);
	(void)snprintf(path, sizeof(path), "%s/gate", f->dir);
	gate = open(path, O_RDWR | O_CLOEXEC); /* releases commands that still wait after a failed test */
	assert_int_equal(nftw(f->dir, remove_one, 16, FTW_DEPTH | FTW_PHYS), 0);
	free(f);
	return 0;
}

/* The log of all commands. The caller frees it. */
static inline char *log_of(const struct fixture *f)
{
	auto_fd int dir = open(f->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	char *text = NULL;
	size_t len;

	assert_int_equal(sf_durable_read(dir, "log", 1 << 20, &text, &len, NULL), 0);
	return text;
}

static inline unsigned count(const struct fixture *f, const char *words)
{
	auto_free char *log = log_of(f);
	unsigned n = 0;

	for (const char *at = log; (at = strstr(at, words)); at++)
		n++;
	return n;
}

static inline void await_log(const struct fixture *f, const char *words)
{
	uint64_t until = sf_clock_mono_ms() + LONG_MS;

	while (count(f, words) == 0) {
		if (sf_clock_mono_ms() >= until)
			fail_msg("'%s' was not logged in time", words);
		(void)poll(NULL, 0, 1);
	}
}

/* Releases a command that waits. */
static inline void open_gate(const struct fixture *f)
{
	char gate[2048];
	int fd;

	(void)snprintf(gate, sizeof(gate), "%s/gate", f->dir);
	fd = open(gate, O_WRONLY | O_CLOEXEC);
	assert_true(fd >= 0);
	close(fd);
}

static inline int run(struct sf_lvm *lvm, const char *command, struct sf_err *err)
{
	const char *const argv[] = {command, NULL};

	return sf_lvm_run(lvm, "vg0", argv, NULL, err);
}

static inline void ran(struct sf_lvm *lvm, const char *command)
{
	struct sf_err err = {0};

	if (run(lvm, command, &err) < 0)
		fail_msg("%s", err.text);
}

#define CASE(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

#endif
