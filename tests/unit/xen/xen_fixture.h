/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Fixture for the Xen backend without Xen. Scripts in a temporary directory replace its helper and xl.
 * tests/lib/xen_helper.py is the helper and explains what a scenario is. The teardown checks that no process
 * and no descriptor has leaked.
 */
#ifndef TESTS_UNIT_XEN_FIXTURE_H
#define TESTS_UNIT_XEN_FIXTURE_H

#include "backends/xen/internal.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/durable.h"
#include "base/err.h"
#include "base/io.h"
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

#define LONG_MS 60000
/* An ordinary helper answers well within this; only one that hangs exceeds it. */
#define SHORT_MS  1000
#define RAM_BYTES (15 * 4096)
#define TEXT_MAX  65536

#define SCRIPT                                                                                               \
	"#!/usr/bin/python3 -IS\n"                                                                           \
	"import sys\n"                                                                                       \
	"sys.dont_write_bytecode = True\n"                                                                   \
	"sys.path.insert(0, '" SF_SOURCE_ROOT "/tests/lib')\n"                                               \
	"from xen_helper import *\n"                                                                         \
	"begin('%s')\n"                                                                                      \
	"%s\n"                                                                                               \
	"run()\n"

/*
 * A fake xl with `create CONFIG [-p]` and `restore -p FILE`. Files in its directory steer it:
 * wait: block until the FIFO gate is opened for writing
 * complaint: print this text and fail
 * saved-name: the name of the restored domain; without this file, web
 */
#define XL                                                                                                   \
	"#!/bin/sh\n"                                                                                        \
	"cd '%s' || exit 99\n"                                                                               \
	"echo \"$$ xl $*\" >>log\n"                                                                          \
	"[ ! -e wait ] || cat gate >/dev/null\n"                                                             \
	"[ ! -e complaint ] || { cat complaint >&2; exit 3; }\n"                                             \
	"case \"$*\" in\n"                                                                                   \
	"restore*) cat \"$3\" >restored; name=$(cat saved-name) || name=web; echo paused >power.$name ;;\n"  \
	"*-p) echo paused >power.web ;;\n"                                                                   \
	"*) echo running >power.web ;;\n"                                                                    \
	"esac\n"                                                                                             \
	"echo \"$$ xl ended\" >>log\n"

#define WEB                                                                                                  \
	"{\"name\":\"web\",\"uuid\":\"\",\"memory\":134217728,\"disks\":[{\"vdev\":\"xvda\",\"path\":"       \
	"\"/dev/vg0/web\"}],\"left_out\":[],\"config\":\"/etc/xen/web.cfg\"}"
#define EXTRA "{\"name\":\"extra\",\"uuid\":\"\",\"memory\":0,\"disks\":[],\"left_out\":[]}"

static const struct sf_vm_desc web = {.name = "web"};

struct fixture {
	char dir[1024];
	char helper[1040], xl[1040], configs[1040];
	struct sf_xen_options options;
	struct sf_helper_limits limits; /* long by default; a case shortens the one it waits for */
	struct sf_hypervisor *hv;
	size_t nfds;
	struct sf_err err;
};

/* --- outcomes --- */

static inline void ok(int rc, const struct sf_err *err)
{
	if (rc < 0)
		fail_msg("%s", err->text);
	assert_int_equal(rc, 0);
}

static inline void failed(int rc, int want, const struct sf_err *err, const char *text)
{
	if (rc != want || err->code != want || !strstr(err->text, text))
		fail_msg("got %d and \"%s\" instead of %d and \"%s\"", rc, err->text, want, text);
}

/* --- files --- */

static inline void put(const struct fixture *f, const char *name, const char *text, mode_t mode)
{
	char path[2048], temp[2060];
	int fd;

	(void)snprintf(path, sizeof(path), "%s/%s", f->dir, name);
	(void)snprintf(temp, sizeof(temp), "%s.temp", path);
	fd = open(temp, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, mode);
	assert_true(fd >= 0);
	assert_int_equal(sf_write_all(fd, text, strlen(text)), 0);
	close(fd); /* the kernel refuses to run a script that is open for writing */
	assert_int_equal(rename(temp, path), 0);
}

static inline void take_away(const struct fixture *f, const char *name)
{
	char path[2048];

	(void)snprintf(path, sizeof(path), "%s/%s", f->dir, name);
	assert_int_equal(unlink(path), 0);
}

/* The content of a file, "" if there is none. The caller frees it. */
static inline char *get(const struct fixture *f, const char *name)
{
	auto_fd int dir = open(f->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	char *text = NULL;
	size_t len;

	if (sf_durable_read(dir, name, 1 << 20, &text, &len, NULL) < 0)
		text = strdup("");
	assert_non_null(text);
	return text;
}

static inline void go(const struct fixture *f, const char *name)
{
	put(f, name, "", 0600);
}

static inline void set_power(const struct fixture *f, const char *power)
{
	put(f, "power.web", power, 0600);
}

static inline void check_power(const struct fixture *f, const char *power)
{
	auto_free char *text = get(f, "power.web");

	text[strcspn(text, "\n")] = '\0';
	assert_string_equal(*text ? text : "off", power);
}

/* Sets the VMs that the helper reports; each argument is a JSON object. */
static inline void set_vms(const struct fixture *f, const char *vms, const char *trouble)
{
	char *line = NULL;

	assert_true(asprintf(&line, "{\"event\":\"vms\",\"trouble\":\"%s\",\"vms\":[%s]}\n", trouble, vms) >
		    0);
	put(f, "vms.json", line, 0600);
	free(line);
}

/* Counts the log lines with these words. Stores the pid of the last one in *ret_pid unless that is NULL. */

/* How many lines of the log say so. The last one's process goes to *ret_pid, unless that is NULL. */
static inline unsigned count(const struct fixture *f, const char *words, pid_t *ret_pid)
{
	auto_free char *log = get(f, "log");
	unsigned n = 0;
	char *rest = log;

	for (char *line; (line = strsep(&rest, "\n"));) {
		char *said = strchr(line, ' ');

		if (!said || strcmp(said + 1, words) != 0)
			continue;
		n++;
		if (ret_pid)
			*ret_pid = (pid_t)atol(line);
	}
	return n;
}

static inline void await_count(const struct fixture *f, const char *words, unsigned n)
{
	uint64_t until = sf_clock_mono_ms() + LONG_MS;

	while (count(f, words, NULL) < n) {
		if (sf_clock_mono_ms() >= until) {
			auto_free char *log = get(f, "log");

			fail_msg("'%s' was not logged in time:\n%s", words, log);
		}
		(void)poll(NULL, 0, 2);
	}
}

/* The process that last logged these words. */
static inline pid_t who(const struct fixture *f, const char *words)
{
	pid_t pid = 0;

	if (count(f, words, &pid) == 0)
		fail_msg("'%s' was not logged", words);
	return pid;
}

static inline void await_end(pid_t pid)
{
	uint64_t until = sf_clock_mono_ms() + LONG_MS;

	while (kill(pid, 0) == 0) {
		if (sf_clock_mono_ms() >= until)
			fail_msg("process %d does not end", (int)pid);
		(void)poll(NULL, 0, 2);
	}
	assert_int_equal(errno, ESRCH);
}

/* Asserts that every process that was ever started is gone and reaped. */
static inline void check_all_ended(const struct fixture *f)
{
	auto_free char *log = get(f, "log");
	char *rest = log;

	for (char *line; (line = strsep(&rest, "\n"));)
		if (atol(line) > 0 && kill((pid_t)atol(line), 0) == 0)
			fail_msg("the process has not ended: %s", line);
	assert_true(waitpid(-1, NULL, WNOHANG) < 0 && errno == ECHILD);
}

static inline size_t count_fds(void)
{
	auto_dir DIR *dir = opendir("/proc/self/fd");
	size_t n = 0;

	assert_non_null(dir);
	while (readdir(dir))
		n++;
	return n;
}

/* --- a case --- */

static inline int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));
	char xl[4096], gate[2048];

	assert_non_null(f);
	f->nfds = count_fds();
	assert_non_null(test_tmpdir(f->dir, sizeof(f->dir), "xen"));
	(void)snprintf(f->helper, sizeof(f->helper), "%s/helper", f->dir);
	(void)snprintf(f->xl, sizeof(f->xl), "%s/xl", f->dir);
	(void)snprintf(f->configs, sizeof(f->configs), "%s/configs", f->dir);
	(void)snprintf(xl, sizeof(xl), XL, f->dir);
	put(f, "xl", xl, 0700);
	(void)snprintf(gate, sizeof(gate), "%s/gate", f->dir);
	assert_int_equal(mkfifo(gate, 0600), 0);
	set_power(f, "running");
	set_vms(f, WEB, "");
	f->options = (struct sf_xen_options){f->helper, f->configs, f->xl, LONG_MS};
	f->limits = (struct sf_helper_limits){.hello = LONG_MS,
					      .question = LONG_MS,
					      .accept = LONG_MS,
					      .first = LONG_MS,
					      .restart = 10,
					      .act = LONG_MS,
					      .stop = LONG_MS,
					      .look = LONG_MS,
					      .abort = LONG_MS,
					      .give_back = LONG_MS,
					      .linger = LONG_MS};
	*state = f;
	return 0;
}

/* Sets the scenario of helpers that start from now on. */
static inline void set_scenario(const struct fixture *f, const char *scenario)
{
	char script[16384];

	assert_true(snprintf(script, sizeof(script), SCRIPT, f->dir, scenario) < (int)sizeof(script));
	put(f, "helper", script, 0700);
}

static inline int try_open(struct fixture *f, const char *scenario)
{
	set_scenario(f, scenario);
	return sf_xen_open_within(&f->options, &f->limits, &f->hv, &f->err);
}

static inline void open_xen(struct fixture *f, const char *scenario)
{
	ok(try_open(f, scenario), &f->err);
}

static inline struct sf_helper_limits *limits_of(struct fixture *f)
{
	return &sf_helpers_of(f->hv)->limits;
}

static inline void close_xen(struct fixture *f)
{
	sf_hypervisor_close(f->hv);
	f->hv = NULL;
}

static inline int remove_one(const char *path, const struct stat *st, int flag, struct FTW *ftw)
{
	(void)st, (void)flag, (void)ftw;
	return remove(path);
}

static inline int teardown(void **state)
{
	struct fixture *f = *state;

	close_xen(f);
	check_all_ended(f);
	assert_int_equal(count_fds(), f->nfds);
	assert_int_equal(nftw(f->dir, remove_one, 16, FTW_DEPTH | FTW_PHYS), 0);
	free(f);
	return 0;
}

/* --- calls from a second thread --- */

struct call {
	pthread_t thread;
	struct sf_hypervisor *hv;
	int (*run)(struct sf_hypervisor *hv, const struct sf_vm_desc *vm, struct sf_err *err);
	atomic_bool done;
	int rc;
	struct sf_err err;
};

static inline void *run_call(void *arg)
{
	struct call *call = arg;

	call->rc = call->run(call->hv, &web, &call->err);
	atomic_store(&call->done, true);
	return NULL;
}

static inline void call(struct fixture *f, struct call *call,
			int (*run)(struct sf_hypervisor *hv, const struct sf_vm_desc *vm, struct sf_err *err))
{
	*call = (struct call){.hv = f->hv, .run = run};
	assert_int_equal(pthread_create(&call->thread, NULL, run_call, call), 0);
}

static inline int result(struct call *call)
{
	pthread_join(call->thread, NULL);
	return call->rc;
}

#define CASE(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

#endif
