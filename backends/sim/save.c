/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Saves and restores guests' RAM. */
#include "save.h"

#include "base/cleanup.h"
#include "base/err.h"
#include "base/io.h"
#include "core/contract/job.h"
#include "guest.h"
#include "internal.h"
#include "ram.h"
#include "sim.h"
#include "world.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

/* Bytes that a save writes between two checks for cancellation. */
#define PIECE (64 * 1024)

/* Pauses the guest. *ret_nresumes must not change while the RAM is saved. */
static int begin_save(struct sf_sim *sim, const struct sf_vm_desc *vm, struct sf_sim_guest **ret,
		      uint64_t *ret_nresumes, struct sf_err *err)
{
	auto_unlock pthread_mutex_t *held = sf_sim_lock(sim);
	struct sf_sim_guest *guest;
	int rc = sf_sim_guest(sim, vm, &guest, err);

	if (rc < 0)
		return rc;
	if (guest->power == SF_POWER_OFF)
		return sf_fail(err, -EINVAL, "sim guest '%s' is off", vm->name);
	guest->power = SF_POWER_PAUSED;
	*ret = guest;
	*ret_nresumes = guest->nresumes;
	return 0;
}

static int copy_piece(struct sf_sim *sim, const struct sf_sim_guest *guest, uint64_t nresumes, size_t off,
		      char *piece, struct sf_err *err)
{
	auto_unlock pthread_mutex_t *held = sf_sim_lock(sim);

	if (guest->nresumes != nresumes)
		return sf_fail(err, -EAGAIN, "sim guest '%s' was resumed while its RAM was saved",
			       guest->name);
	memcpy(piece, guest->ram + off, PIECE);
	return 0;
}

static int save_ram(struct sf_sim *sim, const struct sf_sim_guest *guest, uint64_t nresumes, int fd,
		    struct sf_job *job, struct sf_err *err)
{
	auto_free char *piece = malloc(PIECE);

	if (!piece)
		return sf_fail(err, -ENOMEM, "save the RAM of sim guest '%s': out of memory", guest->name);
	sf_job_expect(job, SF_SIM_RAM);
	for (size_t off = 0; off < SF_SIM_RAM; off += PIECE) {
		int rc = copy_piece(sim, guest, nresumes, off, piece, err);

		if (rc < 0)
			return rc;
		if (sf_job_cancelled(job))
			return sf_fail(err, -EINTR, "save the RAM of sim guest '%s': cancelled", guest->name);
		rc = sf_write_all(fd, piece, PIECE);
		if (rc < 0)
			return sf_fail(err, rc, "save the RAM of sim guest '%s': %s", guest->name,
				       strerror(-rc));
	}
	return 0;
}

int sf_sim_save(struct sf_hypervisor *hv, const struct sf_vm_desc *vm, int fd, bool live,
		const struct sf_save_hooks *hooks, struct sf_job *job, struct sf_err *err)
{
	struct sf_sim_guest *guest = NULL;
	uint64_t nresumes = 0;
	int rc = begin_save(sf_to_sim(hv), vm, &guest, &nresumes, err);

	(void)live; /* copying 4 MiB once is faster than finding out what has changed */
	if (rc == 0)
		rc = hooks->paused(hooks->arg, err);
	if (rc == 0)
		rc = save_ram(sf_to_sim(hv), guest, nresumes, fd, job, err);
	if (rc == 0 && sf_job_cancelled(job))
		rc = sf_fail(err, -EINTR, "save the RAM of sim guest '%s': cancelled", vm->name);
	if (rc == 0)
		rc = hooks->at_rest(hooks->arg, err);
	return rc;
}

static int take_ram(struct sf_sim_guest *guest, const char *ram, struct sf_err *err)
{
	struct sf_sim_ram_header header;
	int rc = sf_sim_check_off(guest, err);

	if (rc < 0)
		return rc;
	memcpy(&header, ram, sizeof(header));
	if (strcmp(header.name, guest->name) != 0)
		return sf_fail(err, -EINVAL, "this is the RAM of '%s', not of sim guest '%s'", header.name,
			       guest->name);
	memcpy(guest->ram, ram, SF_SIM_RAM);
	guest->tick = header.tick;
	guest->crashed = false;
	guest->frozen = false;
	guest->power = SF_POWER_PAUSED;
	return 0;
}

int sf_sim_restore(struct sf_hypervisor *hv, const struct sf_vm_desc *vm, int fd, struct sf_err *err)
{
	auto_free char *ram = malloc(SF_SIM_RAM);
	pthread_mutex_t *held auto_unlock = NULL;
	struct sf_sim_guest *guest;
	int rc = ram ? sf_sim_ram_load(fd, ram, err) : sf_fail(err, -ENOMEM, "restore RAM: out of memory");

	if (rc < 0)
		return rc == -EINVAL ? sf_wrap(err, -EIO, "restore sim guest '%s'", vm->name) : rc;
	held = sf_sim_lock(sf_to_sim(hv));
	rc = sf_sim_guest(sf_to_sim(hv), vm, &guest, err);
	if (rc == 0)
		rc = take_ram(guest, ram, err);
	if (rc == 0)
		sf_sim_open_files(sf_sim_find(sf_to_sim(hv), vm->name));
	return rc;
}
