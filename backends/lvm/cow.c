/* SPDX-License-Identifier: GPL-2.0-or-later */
/* COW stores of classic snapshots: sizing, extending and reading them. */
#include "cow.h"

#include "base/cleanup.h"
#include "base/err.h"
#include "core/config/config.h"
#include "core/contract/extents.h"
#include "block.h"
#include "command.h"
#include "cow_store.h"
#include "dm.h"
#include "instance.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* LVM's smallest chunk (lvcreate(8), --chunksize), which needs the most metadata per byte. */
#define CHUNK_MIN 4096U

static uint64_t round_up(uint64_t n, uint64_t unit)
{
	return (n + unit - 1) / unit * unit;
}

static uint64_t percent_of(uint64_t n, uint64_t percent)
{
	return n / 100 * percent + n % 100 * percent / 100;
}

/* Size of a store: header, 16 bytes for each chunk, and the chunks (dm-snap-persistent.c). */
static uint64_t store_for(uint64_t data_bytes, uint64_t chunk_bytes)
{
	uint64_t chunks = data_bytes / chunk_bytes + 1;
	uint64_t areas = chunks / (chunk_bytes / 16) + 1;

	return (1 + areas + chunks) * chunk_bytes;
}

void sf_lvm_cow_plan(const struct sf_lvm_config *config, const struct sf_lvm_report *report,
		     uint64_t origin_bytes, struct sf_lvm_cow_plan *ret)
{
	uint64_t extent = report->extent_bytes, reserve = percent_of(report->vg_bytes, config->vg_reserve);
	uint64_t free_bytes = report->free_bytes;
	uint64_t policy = percent_of(origin_bytes, config->cow_percent);

	ret->most = round_up(store_for(origin_bytes, CHUNK_MIN), extent);
	ret->least = round_up(config->cow_minimum_bytes, extent);
	if (ret->least > ret->most)
		ret->least = ret->most;
	ret->want = round_up(policy, extent);
	if (ret->want < ret->least)
		ret->want = ret->least;
	if (ret->want > ret->most)
		ret->want = ret->most;
	ret->free = free_bytes > reserve ? (free_bytes - reserve) / extent * extent : 0;
}

int sf_lvm_extend(struct sf_lvm *lvm, const struct sf_lvm_report *report, const struct sf_lv *lv,
		  uint64_t bytes, struct sf_err *err)
{
	char size[32], target[2 * SF_LVM_NAME];
	const char *const argv[] = {"lvextend", "--yes", "--size", size, "--", target, NULL};

	if (!sf_lvm_is_ours(&lvm->state_id, lv))
		return sf_fail(err, -EPERM, "%s/%s is not ours to extend", report->vg, lv->name);
	(void)snprintf(size, sizeof(size), "+%" PRIu64 "b", round_up(bytes, report->extent_bytes));
	(void)snprintf(target, sizeof(target), "%s/%s", report->vg, lv->name);
	return sf_lvm_run(lvm, report->vg, argv, NULL, err);
}

uint64_t sf_lvm_cow_need(const struct sf_extents *ranges, uint64_t chunk_bytes)
{
	uint64_t bytes = 0;

	for (size_t i = 0; i < ranges->n; i++) {
		uint64_t first = ranges->list[i].off / chunk_bytes;
		uint64_t end = (ranges->list[i].off + ranges->list[i].len + chunk_bytes - 1) / chunk_bytes;

		bytes += (end - first) * chunk_bytes;
	}
	return store_for(bytes, chunk_bytes);
}

int sf_lvm_check_snapshot_of(const struct sf_lvm_report *report, const struct sf_lv *snapshot, const char *lv,
			     struct sf_err *err)
{
	if (!sf_lvm_is_cow(snapshot, lv))
		return sf_fail(err, -EINVAL, "%s/%s is a snapshot of %s, not of the volume now named %s",
			       report->vg, snapshot->name, *snapshot->origin ? snapshot->origin : "nothing",
			       lv);
	for (size_t i = 0; i < report->n; i++)
		if (report->lvs[i].merging && strcmp(report->lvs[i].origin, lv) == 0)
			return sf_fail(err, -EBUSY, "%s/%s is being merged into %s", report->vg,
				       report->lvs[i].name, lv);
	return 0;
}

int sf_lvm_exceptions(const char *vg, const struct sf_lv *snapshot, struct sf_extents *ret,
		      struct sf_err *err)
{
	char cow[SF_DM_NAME], dm[SF_DM_NAME];
	struct sf_extents extents = {0};
	struct sf_dm_target target;
	uint64_t chunk_bytes;
	auto_fd int fd = -1;
	int rc;

	if ((rc = sf_dm_name(vg, snapshot->name, "cow", cow, err)) < 0 ||
	    (rc = sf_dm_name(vg, snapshot->name, NULL, dm, err)) < 0 ||
	    (rc = sf_dm_table(dm, &target, err)) < 0)
		return rc;
	extents.size_bytes = target.size_bytes;
	fd = sf_lvm_open_device(cow, O_RDONLY | O_DIRECT, err);
	if (fd < 0)
		return fd;
	rc = sf_cow_store_read(fd, cow, &extents, &chunk_bytes, err);
	if (rc < 0)
		sf_extents_fini(&extents);
	else
		*ret = extents;
	return rc;
}
