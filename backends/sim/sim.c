/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Implements the hypervisor contract for sim guests, and runs the thread that makes their ticks. */
#include "sim.h"

#include "backends/common/configured.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/log.h"
#include "base/names.h"
#include "core/config/config.h"
#include "core/contract/backend.h"
#include "guest.h"
#include "internal.h"
#include "ram.h"
#include "save.h"
#include "world.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* --- Listing --- */

static uint64_t hash_name(const char *name, uint64_t hash)
{
	for (; *name; name++)
		hash = (hash ^ (unsigned char)*name) * 0x100000001b3U; /* FNV-1a, 64 bit */
	return hash;
}

/* Derives the uuid from the name, so it is the same in every process. Version 8 of RFC 9562: custom. */
static void make_uuid(const char *name, char uuid[static SF_VM_UUID])
{
	uint64_t a = hash_name(name, 0xcbf29ce484222325U);
	uint64_t b = hash_name(name, a ^ 0x9e3779b97f4a7c15U);

	(void)snprintf(uuid, SF_VM_UUID, "%08x-%04x-8%03x-a%03x-%012llx", (unsigned)(a >> 32),
		       (unsigned)(a >> 16 & 0xffff), (unsigned)(a & 0xfff), (unsigned)(b >> 52),
		       (unsigned long long)(b & 0xffffffffffff));
}

static int sim_list(struct sf_hypervisor *hv, struct sf_vm_list *ret, struct sf_err *err)
{
	int rc = sf_configured_list(sf_to_sim(hv)->config, ret, err);

	for (size_t i = 0; rc == 0 && i < ret->nvms; i++) {
		make_uuid(ret->vms[i].name, ret->vms[i].uuid);
		ret->vms[i].memory_bytes = SF_SIM_RAM;
	}
	return rc;
}

/* --- Power --- */

static int sim_power(struct sf_hypervisor *hv, const struct sf_vm_desc *vm, enum sf_power *ret,
		     struct sf_err *err)
{
	auto_unlock pthread_mutex_t *held = sf_sim_lock(sf_to_sim(hv));
	struct sf_sim_guest *guest;
	int rc = sf_sim_guest(sf_to_sim(hv), vm, &guest, err);

	if (rc == 0)
		*ret = guest->power;
	return rc;
}

static int sim_pause(struct sf_hypervisor *hv, const struct sf_vm_desc *vm, struct sf_err *err)
{
	auto_unlock pthread_mutex_t *held = sf_sim_lock(sf_to_sim(hv));
	struct sf_sim_guest *guest;
	int rc = sf_sim_guest(sf_to_sim(hv), vm, &guest, err);

	if (rc < 0)
		return rc;
	if (guest->power == SF_POWER_OFF)
		return sf_fail(err, -EINVAL, "sim guest '%s' is off", vm->name);
	guest->power = SF_POWER_PAUSED;
	return 0;
}

static int sim_resume(struct sf_hypervisor *hv, const struct sf_vm_desc *vm, struct sf_err *err)
{
	auto_unlock pthread_mutex_t *held = sf_sim_lock(sf_to_sim(hv));
	struct sf_sim_guest *guest;
	int rc = sf_sim_guest(sf_to_sim(hv), vm, &guest, err);

	if (rc == 0 && guest->power == SF_POWER_PAUSED) {
		guest->power = SF_POWER_RUNNING;
		guest->nresumes++;
	}
	return rc;
}

static int sim_stop(struct sf_hypervisor *hv, const struct sf_vm_desc *vm, struct sf_err *err)
{
	auto_unlock pthread_mutex_t *held = sf_sim_lock(sf_to_sim(hv));
	struct sf_sim_guest *guest;
	int rc = sf_sim_guest(sf_to_sim(hv), vm, &guest, err);

	if (rc == 0)
		guest->power = SF_POWER_OFF;
	return rc;
}

static int sim_start(struct sf_hypervisor *hv, const struct sf_vm_desc *vm, bool paused, struct sf_err *err)
{
	auto_unlock pthread_mutex_t *held = sf_sim_lock(sf_to_sim(hv));
	struct sf_sim_guest *guest;
	int rc = sf_sim_guest(sf_to_sim(hv), vm, &guest, err);

	if (rc == 0)
		rc = sf_sim_check_off(guest, err);
	if (rc == 0)
		rc = sf_sim_boot(sf_sim_find(sf_to_sim(hv), vm->name), paused, err);
	return rc;
}

static int sim_check_disk(struct sf_hypervisor *hv, const struct sf_vm_desc *vm, const struct sf_disk *disk,
			  struct sf_err *err)
{
	auto_unlock pthread_mutex_t *held = sf_sim_lock(sf_to_sim(hv));
	struct sf_sim_guest *guest;
	int rc = sf_sim_guest(sf_to_sim(hv), vm, &guest, err);

	if (rc < 0 || guest->power == SF_POWER_OFF)
		return rc;
	return sf_sim_check_file(sf_sim_find(sf_to_sim(hv), vm->name), disk->vdev, err);
}

/* --- Quiescing: a frozen guest is between two ticks and stays there --- */

static int check_answers(const struct sf_sim_guest *guest, struct sf_err *err)
{
	if (guest->power != SF_POWER_PAUSED)
		return 0;
	return sf_fail(err, -EAGAIN, "sim guest '%s' is at rest and cannot answer", guest->name);
}

static int sim_quiesce(struct sf_hypervisor *hv, const struct sf_vm_desc *vm, struct sf_err *err)
{
	auto_unlock pthread_mutex_t *held = sf_sim_lock(sf_to_sim(hv));
	struct sf_sim_guest *guest;
	int rc = sf_sim_guest(sf_to_sim(hv), vm, &guest, err);

	if (rc == 0 && guest->power == SF_POWER_OFF)
		rc = sf_fail(err, -EINVAL, "sim guest '%s' is off", vm->name);
	if (rc == 0)
		rc = check_answers(guest, err);
	if (rc == 0)
		guest->frozen = true;
	return rc;
}

static int sim_thaw(struct sf_hypervisor *hv, const struct sf_vm_desc *vm, struct sf_err *err)
{
	auto_unlock pthread_mutex_t *held = sf_sim_lock(sf_to_sim(hv));
	struct sf_sim_guest *guest;
	int rc = sf_sim_guest(sf_to_sim(hv), vm, &guest, err);

	if (rc == 0)
		rc = check_answers(guest, err);
	if (rc == 0)
		guest->frozen = false;
	return rc;
}

/* --- Time --- */

void sf_sim_tick(struct sf_hypervisor *hv, unsigned n)
{
	struct sf_sim *sim = sf_to_sim(hv);

	for (size_t i = 0; i < sim->nmachines; i++) {
		auto_unlock pthread_mutex_t *held = sf_sim_lock(sim);

		sf_sim_run(&sim->machines[i], n);
	}
}

static struct timespec later(unsigned ms)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	ts.tv_sec += ms / 1000;
	ts.tv_nsec += (long)(ms % 1000) * 1000000;
	if (ts.tv_nsec >= 1000000000) {
		ts.tv_sec++;
		ts.tv_nsec -= 1000000000;
	}
	return ts;
}

/* True when the next tick is due, false at the end. */
static bool wait_for_tick(struct sf_sim *sim)
{
	auto_unlock pthread_mutex_t *held = sf_lock(&sim->lock);
	struct timespec until = later(sim->tick_ms);

	while (!sim->ending)
		if (pthread_cond_timedwait(&sim->ended, &sim->lock, &until) == ETIMEDOUT)
			return !sim->ending;
	return false;
}

static void *tick_for_ever(void *arg)
{
	struct sf_sim *sim = arg;

	while (wait_for_tick(sim))
		sf_sim_tick(&sim->base, 1);
	return NULL;
}

static int start_ticker(struct sf_sim *sim, struct sf_err *err)
{
	int rc;

	if (sim->tick_ms == 0)
		return 0;
	rc = pthread_create(&sim->ticker, NULL, tick_for_ever, sim);
	if (rc != 0)
		return sf_fail(err, -rc, "hypervisor sim: start its ticker: %s", strerror(rc));
	sim->ticking = true;
	return 0;
}

static void end_ticker(struct sf_sim *sim)
{
	if (!sim->ticking)
		return;
	pthread_mutex_lock(&sim->lock);
	sim->ending = true;
	pthread_cond_signal(&sim->ended);
	pthread_mutex_unlock(&sim->lock);
	pthread_join(sim->ticker, NULL);
}

int sf_sim_view(struct sf_hypervisor *hv, const char *name, struct sf_sim_view *ret)
{
	auto_unlock pthread_mutex_t *held = sf_sim_lock(sf_to_sim(hv));
	const struct sf_sim_machine *machine = sf_sim_find(sf_to_sim(hv), name);

	if (!machine)
		return -ENOENT;
	*ret = (struct sf_sim_view){machine->guest->power, machine->guest->crashed, machine->guest->tick};
	return 0;
}

/* --- Opening and closing --- */

static void sim_close(struct sf_hypervisor *hv)
{
	struct sf_sim *sim = sf_to_sim(hv);

	end_ticker(sim);
	pthread_cond_destroy(&sim->ended);
	pthread_mutex_destroy(&sim->lock);
	if (sim->own_world)
		sf_sim_world_free(sim->world);
	free(sim->machines);
	free(sim);
}

/* --- Hosts: any process with this version of the RAM layout --- */

static int sim_host(struct sf_hypervisor *hv, char ret[static SF_HOST_MAX], struct sf_err *err)
{
	(void)hv;
	(void)err;
	(void)snprintf(ret, SF_HOST_MAX, "sim %d", SF_SIM_RAM_VERSION);
	return 0;
}

static int sim_check_host(struct sf_hypervisor *hv, const char *host, struct sf_err *err)
{
	char own[SF_HOST_MAX];
	int rc = sim_host(hv, own, err);

	if (rc == 0 && strcmp(host, own) != 0)
		rc = sf_fail(err, -EOPNOTSUPP, "the RAM is for '%s', this is '%s'", host, own);
	return rc;
}

static const struct sf_hypervisor_ops sim_ops = {
	.name = "sim",
	.caps = SF_HYPERVISOR_PAUSE | SF_HYPERVISOR_MEMORY | SF_HYPERVISOR_CONTROL | SF_HYPERVISOR_QUIESCE |
		SF_HYPERVISOR_MEMORY_PAUSED,
	.list = sim_list,
	.power = sim_power,
	.pause = sim_pause,
	.resume = sim_resume,
	.save = sf_sim_save,
	.restore = sf_sim_restore,
	.host = sim_host,
	.check_host = sim_check_host,
	.stop = sim_stop,
	.start = sim_start,
	.check_disk = sim_check_disk,
	.quiesce = sim_quiesce,
	.thaw = sim_thaw,
	.close = sim_close,
};

static struct sf_sim_guest *find_in_world(struct sf_sim_world *world, const char *name)
{
	for (size_t i = 0; i < world->nguests; i++)
		if (strcmp(world->guests[i].name, name) == 0)
			return &world->guests[i];
	return NULL;
}

/* A guest that cannot boot stays off, and does not affect the others. */
static void add_guest(struct sf_sim_world *world, struct sf_sim_machine *machine, const char *name)
{
	struct sf_sim_guest *guest = &world->guests[world->nguests];
	struct sf_err err = {0};

	memcpy(guest->name, name, sizeof(guest->name));
	guest->ram = world->ram[world->nguests];
	guest->power = SF_POWER_OFF;
	world->nguests++;
	machine->guest = guest;
	if (sf_sim_boot(machine, false, &err) < 0)
		sf_log(SF_LOG_WARNING, "sim guest '%s' does not boot: %s", name, err.text);
}

static void add_machine(struct sf_sim *sim, const struct sf_vm_config *vm, const struct sf_storages *storages)
{
	struct sf_sim_machine *machine = &sim->machines[sim->nmachines];
	struct sf_sim_guest *guest = find_in_world(sim->world, vm->name);

	*machine = (struct sf_sim_machine){guest, storages, vm->disks, vm->ndisks};
	if (!guest)
		add_guest(sim->world, machine, vm->name);
	sim->nmachines++;
}

/* Checks the limits before any guest boots. */
static int check_room(struct sf_sim_world *world, const struct sf_config *config, struct sf_err *err)
{
	size_t nguests = world->nguests;

	for (size_t i = 0; i < config->nvms; i++) {
		const struct sf_vm_config *vm = &config->vms[i];

		if (vm->ndisks > SF_VM_DISKS_MAX)
			return sf_fail(err, -EINVAL, "sim guest '%s' has %zu disks, more than %d", vm->name,
				       vm->ndisks, SF_VM_DISKS_MAX);
		nguests += !find_in_world(world, vm->name);
	}
	if (nguests > SF_SIM_GUESTS_MAX)
		return sf_fail(err, -EINVAL, "sim runs at most %d guests, not %zu", SF_SIM_GUESTS_MAX,
			       nguests);
	return 0;
}

static int fill(struct sf_sim *sim, const struct sf_backend_env *env, struct sf_sim_world *world,
		struct sf_err *err)
{
	pthread_mutex_t *held auto_unlock = NULL;
	int rc = 0;

	sim->own_world = !world;
	sim->world = world;
	if (!world)
		rc = sf_sim_world_new(&sim->world, err);
	if (rc < 0)
		return rc;
	sim->config = env->config;
	sim->machines = calloc(env->config->nvms + 1, sizeof(*sim->machines));
	if (!sim->machines)
		return sf_fail(err, -ENOMEM, "hypervisor sim: out of memory");
	held = sf_sim_lock(sim);
	rc = check_room(sim->world, env->config, err);
	if (rc < 0)
		return rc;
	for (size_t i = 0; i < env->config->nvms; i++)
		add_machine(sim, &env->config->vms[i], env->storages);
	sf_sim_finish_ticks(sim); /* of guests that another process left in the world */
	return 0;
}

static void init_ticker(struct sf_sim *sim, unsigned tick_ms)
{
	sim->tick_ms = tick_ms;
	pthread_mutex_init(&sim->lock, NULL);
	sf_clock_cond_init(&sim->ended);
}

int sf_sim_open(const struct sf_backend_env *env, struct sf_sim_world *world, unsigned tick_ms,
		struct sf_hypervisor **ret, struct sf_err *err)
{
	struct sf_sim *sim = calloc(1, sizeof(*sim));
	int rc;

	if (!sim)
		return sf_fail(err, -ENOMEM, "hypervisor sim: out of memory");
	sim->base.ops = &sim_ops;
	init_ticker(sim, tick_ms);
	rc = fill(sim, env, world, err);
	if (rc == 0)
		rc = start_ticker(sim, err);
	if (rc < 0) {
		sim_close(&sim->base);
		return rc;
	}
	*ret = &sim->base;
	return 0;
}
