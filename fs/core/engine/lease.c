/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "lease.h"

#include "core/state/health.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/log.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define RETRY_MS 1000

struct sf_lease {
	struct sf_lease *next;
	struct sf_leases *leases;
	struct sf_vm_desc vm;
	uint64_t deadline_ms;
	uint64_t armed_at_ms; /* 0: not armed */
	uint64_t due_ms;      /* when the watchdog acts next; 0: never */
	bool resting;         /* the guest is known to be at rest: one successful resume is enough */
	bool expired;
	bool orphaned; /* its owner could not resume the guest: the watchdog owns it */
	bool in_use;   /* a helper thread is calling the hypervisor for it */
};

struct sf_leases {
	struct sf_hypervisor *hv;
	struct sf_health *health;
	pthread_t watchdog;
	pthread_mutex_t lock; /* guards the list, its leases and all members below */
	pthread_cond_t changed;
	struct sf_lease *first;
	struct sf_lease_stats stats;
	size_t nhelpers;
	bool stopping;
};

static void unlink_lease(struct sf_leases *leases, struct sf_lease *lease)
{
	struct sf_lease **at = &leases->first;

	while (*at && *at != lease)
		at = &(*at)->next;
	if (*at)
		*at = lease->next;
}

static void free_lease(struct sf_lease *lease)
{
	sf_vm_desc_fini(&lease->vm);
	free(lease);
}

/* A VM that the hypervisor does not know has no guest to resume. */
static int resume(struct sf_leases *leases, const struct sf_lease *lease, struct sf_err *err)
{
	int rc = sf_hypervisor_resume(leases->hv, &lease->vm, err);

	return rc == -ENOENT ? 0 : rc;
}

/* Body of a helper thread: resumes one guest. */
static void *resume_overdue(void *arg)
{
	struct sf_lease *lease = arg;
	struct sf_leases *leases = lease->leases;
	struct sf_err err = {0};
	int rc = resume(leases, lease, &err);

	if (rc < 0)
		sf_health_set(leases->health, "guest", lease->vm.name,
			      "cannot be resumed, will be retried: %s", err.text);
	else
		sf_health_clear(leases->health, "guest", lease->vm.name);
	pthread_mutex_lock(&leases->lock);
	lease->in_use = false;
	/* The pause may take effect after this resume: repeat until the guest is known to be at rest. */
	lease->due_ms = rc == 0 && lease->resting ? 0 : sf_clock_mono_ms() + RETRY_MS;
	if (rc == 0 && lease->orphaned) {
		unlink_lease(leases, lease);
		free_lease(lease);
	}
	leases->nhelpers--;
	pthread_cond_broadcast(&leases->changed);
	pthread_mutex_unlock(&leases->lock);
	return NULL;
}

/*
 * Call with the lock held; drops it if no thread can be started. Each resume has its own thread: a hypervisor
 * that hangs on one guest must not keep the others at rest.
 */
static void send_helper(struct sf_leases *leases, struct sf_lease *lease)
{
	pthread_t thread;

	if (!lease->expired && !lease->orphaned) {
		leases->stats.nexpired++;
		sf_log(SF_LOG_WARNING, "VM '%s': at rest for more than %llu ms: resuming it", lease->vm.name,
		       (unsigned long long)lease->deadline_ms);
	}
	lease->expired = true;
	lease->in_use = true;
	leases->nhelpers++;
	if (pthread_create(&thread, NULL, resume_overdue, lease) == 0) {
		pthread_detach(thread);
		return;
	}
	pthread_mutex_unlock(&leases->lock);
	resume_overdue(lease);
	pthread_mutex_lock(&leases->lock);
}

static struct sf_lease *next_due(struct sf_leases *leases)
{
	struct sf_lease *next = NULL;

	for (struct sf_lease *lease = leases->first; lease; lease = lease->next)
		if (lease->due_ms && !lease->in_use && (!next || lease->due_ms < next->due_ms))
			next = lease;
	return next;
}

static void *watch(void *arg)
{
	struct sf_leases *leases = arg;
	auto_unlock pthread_mutex_t *held = sf_lock(&leases->lock);

	while (!leases->stopping) {
		struct sf_lease *lease = next_due(leases);
		struct timespec until;

		if (!lease) {
			pthread_cond_wait(&leases->changed, &leases->lock);
			continue;
		}
		if (lease->due_ms <= sf_clock_mono_ms()) {
			send_helper(leases, lease);
			continue;
		}
		until.tv_sec = (time_t)(lease->due_ms / 1000);
		until.tv_nsec = (long)(lease->due_ms % 1000) * 1000000;
		pthread_cond_timedwait(&leases->changed, &leases->lock, &until);
	}
	return NULL;
}

int sf_leases_new(struct sf_hypervisor *hv, struct sf_health *health, struct sf_leases **ret,
		  struct sf_err *err)
{
	struct sf_leases *leases = calloc(1, sizeof(*leases));
	int rc;

	if (!leases)
		return sf_fail(err, -ENOMEM, "out of memory");
	leases->hv = hv;
	leases->health = health;
	pthread_mutex_init(&leases->lock, NULL);
	sf_clock_cond_init(&leases->changed);
	rc = pthread_create(&leases->watchdog, NULL, watch, leases);
	if (rc != 0) {
		free(leases);
		return sf_fail(err, -rc, "start the pause watchdog: error %d", rc);
	}
	*ret = leases;
	return 0;
}

void sf_leases_free(struct sf_leases *leases)
{
	if (!leases)
		return;
	pthread_mutex_lock(&leases->lock);
	leases->stopping = true;
	pthread_cond_broadcast(&leases->changed);
	pthread_mutex_unlock(&leases->lock);
	pthread_join(leases->watchdog, NULL);
	pthread_mutex_lock(&leases->lock);
	while (leases->nhelpers > 0)
		pthread_cond_wait(&leases->changed, &leases->lock);
	pthread_mutex_unlock(&leases->lock);
	while (leases->first) {
		struct sf_lease *lease = leases->first;
		struct sf_err err = {0};

		leases->first = lease->next;
		if (resume(leases, lease, &err) < 0)
			sf_log(SF_LOG_ERROR, "VM '%s' is left at rest: %s", lease->vm.name, err.text);
		free_lease(lease);
	}
	pthread_cond_destroy(&leases->changed);
	pthread_mutex_destroy(&leases->lock);
	free(leases);
}

/* Call with the lock held. */
static struct sf_lease *find_orphan(struct sf_leases *leases, const struct sf_vm_desc *vm)
{
	struct sf_lease *lease = leases->first;

	while (lease && (!lease->orphaned || strcmp(lease->vm.name, vm->name) != 0))
		lease = lease->next;
	return lease;
}

/*
 * Refused while the watchdog is still trying to resume the same guest: it would do so during the new pause.
 */
static bool link_lease(struct sf_leases *leases, struct sf_lease *lease)
{
	auto_unlock pthread_mutex_t *held = sf_lock(&leases->lock);

	if (find_orphan(leases, &lease->vm))
		return false;
	lease->next = leases->first;
	leases->first = lease;
	return true;
}

int sf_lease_begin(struct sf_leases *leases, const struct sf_vm_desc *vm, uint64_t deadline_ms,
		   struct sf_lease **ret, struct sf_err *err)
{
	struct sf_lease *lease = calloc(1, sizeof(*lease));

	if (!lease || sf_vm_desc_copy(vm, &lease->vm) < 0) {
		free(lease);
		return sf_fail(err, -ENOMEM, "out of memory");
	}
	lease->leases = leases;
	lease->deadline_ms = deadline_ms;
	if (!link_lease(leases, lease)) {
		free_lease(lease);
		return sf_fail(err, -EBUSY, "the guest has not been resumed after an earlier pause yet");
	}
	*ret = lease;
	return 0;
}

void sf_lease_arm(struct sf_lease *lease)
{
	auto_unlock pthread_mutex_t *held = sf_lock(&lease->leases->lock);

	if (lease->armed_at_ms)
		return;
	lease->armed_at_ms = sf_clock_mono_ms();
	lease->due_ms = lease->armed_at_ms + lease->deadline_ms;
	lease->leases->stats.npauses++;
	pthread_cond_broadcast(&lease->leases->changed);
}

static int verdict(const struct sf_lease *lease, struct sf_err *err)
{
	if (!lease->expired)
		return 0;
	return sf_fail(err, -ETIMEDOUT, "the guest was at rest for more than %llu ms and has been resumed",
		       (unsigned long long)lease->deadline_ms);
}

int sf_lease_check(struct sf_lease *lease, struct sf_err *err)
{
	auto_unlock pthread_mutex_t *held = sf_lock(&lease->leases->lock);

	return verdict(lease, err);
}

int sf_lease_rests(struct sf_lease *lease, struct sf_err *err)
{
	auto_unlock pthread_mutex_t *held = sf_lock(&lease->leases->lock);

	lease->resting = true;
	return verdict(lease, err);
}

/* Adds the guest's time at rest to the statistics and returns it. */
static uint64_t count(struct sf_lease *lease)
{
	struct sf_lease_stats *stats = &lease->leases->stats;
	uint64_t ms = lease->armed_at_ms ? sf_clock_mono_ms() - lease->armed_at_ms : 0;

	stats->total_ms += ms;
	if (ms > stats->longest_ms)
		stats->longest_ms = ms;
	return ms;
}

/* Waits until no helper is calling the hypervisor for the lease. Call with the lock held. */
static void settle(struct sf_lease *lease)
{
	while (lease->in_use)
		pthread_cond_wait(&lease->leases->changed, &lease->leases->lock);
}

int sf_lease_end(struct sf_lease *lease, bool *ret_resumed, uint64_t *ret_rest_ms, struct sf_err *err)
{
	struct sf_leases *leases = lease->leases;
	int rc = resume(leases, lease, err);
	auto_unlock pthread_mutex_t *held = sf_lock(&leases->lock);
	uint64_t rest_ms = count(lease);

	settle(lease);
	*ret_resumed = rc == 0;
	if (rc < 0) {
		lease->orphaned = true;
		lease->due_ms = sf_clock_mono_ms();
		pthread_cond_broadcast(&leases->changed);
		return rc;
	}
	rc = verdict(lease, err);
	unlink_lease(leases, lease);
	free_lease(lease);
	if (rc == 0 && ret_rest_ms)
		*ret_rest_ms = rest_ms;
	return rc;
}

int sf_lease_drop(struct sf_lease *lease, struct sf_err *err)
{
	struct sf_leases *leases = lease->leases;
	auto_unlock pthread_mutex_t *held = sf_lock(&leases->lock);
	int rc;

	(void)count(lease);
	settle(lease);
	rc = verdict(lease, err);
	unlink_lease(leases, lease);
	free_lease(lease);
	return rc;
}

void sf_leases_settle(struct sf_leases *leases, const struct sf_vm_desc *vm)
{
	auto_unlock pthread_mutex_t *held = sf_lock(&leases->lock);
	struct sf_lease *lease;

	while ((lease = find_orphan(leases, vm))) {
		if (lease->in_use) {
			pthread_cond_wait(&leases->changed, &leases->lock);
			continue;
		}
		unlink_lease(leases, lease);
		free_lease(lease);
	}
}

struct sf_lease_stats sf_leases_stats(struct sf_leases *leases)
{
	auto_unlock pthread_mutex_t *held = sf_lock(&leases->lock);

	return leases->stats;
}
