/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "lvm.h"

#include "base/clock.h"
#include "base/err.h"
#include "base/proc.h"
#include "instance.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static bool is_installed(const char *program)
{
	char path[256];

	if (strchr(program, '/'))
		return access(program, X_OK) == 0;
	for (const char *dir = SF_PROC_PATH; *dir; dir += strcspn(dir, ":"), dir += *dir == ':') {
		(void)snprintf(path, sizeof(path), "%.*s/%s", (int)strcspn(dir, ":"), dir, program);
		if (access(path, X_OK) == 0)
			return true;
	}
	return false;
}

static void init_locks(struct sf_lvm *lvm)
{
	pthread_mutex_init(&lvm->lock, NULL);
	sf_clock_cond_init(&lvm->idle);
}

int sf_lvm_new(const struct sf_lvm_options *options, struct sf_lvm **ret, struct sf_err *err)
{
	const char *program = options->program ? options->program : "lvm";
	struct sf_lvm *lvm;

	if (!is_installed(program))
		return sf_fail(err, -ENOENT, "%s is not installed", program);
	lvm = calloc(1, sizeof(*lvm));
	if (lvm)
		lvm->program = strdup(program);
	if (!lvm || !lvm->program) {
		free(lvm);
		return sf_fail(err, -ENOMEM, "out of memory");
	}
	(void)snprintf(lvm->run_dir, sizeof(lvm->run_dir), "%s",
		       options->run_dir ? options->run_dir : "/run/snapfs");
	lvm->config = options->config;
	lvm->state_id = options->state_id;
	(void)snprintf(lvm->state_dir, sizeof(lvm->state_dir), "%s", options->state_dir);
	atomic_init(&lvm->refs, 1);
	init_locks(lvm);
	*ret = lvm;
	return 0;
}

struct sf_lvm *sf_lvm_ref(struct sf_lvm *lvm)
{
	atomic_fetch_add(&lvm->refs, 1);
	return lvm;
}

void sf_lvm_unref(struct sf_lvm *lvm)
{
	if (!lvm || atomic_fetch_sub(&lvm->refs, 1) != 1)
		return;
	for (size_t i = 0; i < SF_LVM_LATE; i++)
		sf_proc_drop(&lvm->late[i]);
	sf_lvm_forget_reports(lvm);
	pthread_cond_destroy(&lvm->idle);
	pthread_mutex_destroy(&lvm->lock);
	free(lvm->program);
	free(lvm);
}
