/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "hold.h"

#include "backends/common/users.h"
#include "base/cleanup.h"
#include "base/err.h"
#include "block.h"
#include "internal.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysmacros.h>

/* When a writer closes a device, udev on many hosts opens it for a moment. */
#define SETTLE_TRIES 10
#define SETTLE_MS    50

/* Completed writes and discards (Documentation/admin-guide/iostats.rst, fields 5 and 12). */
static int count_writes(const struct sf_dm_info *info, uint64_t *ret)
{
	char text[512], *at = text;
	uint64_t n = 0;
	int rc = sf_lvm_read_sysfs(makedev(info->major, info->minor), "stat", text, sizeof(text));

	for (int field = 1; rc == 0 && field <= 12; field++) {
		uint64_t value = strtoull(at, &at, 10);

		if (field == 5 || field == 12)
			n += value;
	}
	*ret = n;
	return rc;
}

int sf_lvm_check_unused(struct sf_lvm_volume *volume, struct sf_err *err)
{
	unsigned own = volume->claim ? 1 : 0;
	struct sf_dm_info info = {.open_count = 0};
	char users[SF_USERS_TEXT];

	for (int i = 0; i < SETTLE_TRIES; i++) {
		int rc = sf_dm_info(volume->dm, &info, err);

		if (rc == -ENOENT)
			return 0;
		if (rc < 0)
			return rc;
		if (info.open_count <= own)
			return 0;
		(void)poll(NULL, 0, SETTLE_MS);
	}
	return sf_fail(err, -EBUSY, "%s is in use: it is open %u times elsewhere%s", volume->base.origin,
		       info.open_count - own, sf_users_of_device(makedev(info.major, info.minor), users));
}

static struct sf_lvm_claim *find_claim(struct sf_lvm_storage *storage, const char *dm)
{
	struct sf_lvm_claim *claim = storage->claims;

	while (claim && strcmp(claim->dm, dm) != 0)
		claim = claim->next;
	return claim;
}

static int new_claim(struct sf_lvm_storage *storage, struct sf_lvm_volume *volume, struct sf_lvm_claim **ret,
		     struct sf_err *err)
{
	auto_free struct sf_lvm_claim *claim = calloc(1, sizeof(*claim));
	char users[SF_USERS_TEXT] = "";
	struct sf_dm_info info;
	int fd;

	if (!claim)
		return sf_fail(err, -ENOMEM, "out of memory");
	/* Only a classic revert writes. A thin volume is opened read-only, because udev reacts to writers. */
	fd = sf_lvm_open_device(volume->dm, (storage->thin ? O_RDONLY : O_RDWR) | O_DIRECT | O_EXCL, err);
	if (fd == -EROFS || fd == -EACCES || fd == -EPERM)
		fd = sf_lvm_open_device(volume->dm, O_RDONLY | O_DIRECT | O_EXCL, err);
	if (fd == -EBUSY && sf_dm_info(volume->dm, &info, NULL) == 0)
		(void)sf_users_of_device(makedev(info.major, info.minor), users);
	if (fd == -EBUSY)
		return sf_fail(err, -EBUSY,
			       "%s is in use: it is mounted, or another program has it open exclusively%s",
			       volume->base.origin, users);
	if (fd < 0)
		return fd;
	memcpy(claim->dm, volume->dm, sizeof(claim->dm));
	claim->fd = fd;
	claim->next = storage->claims;
	*ret = storage->claims = sf_take_ptr(&claim);
	return 0;
}

static void drop_claim(struct sf_lvm_storage *storage, struct sf_lvm_claim *claim)
{
	struct sf_lvm_claim **at = &storage->claims;

	if (--claim->refs > 0)
		return;
	while (*at != claim)
		at = &(*at)->next;
	*at = claim->next;
	sf_cleanup_fd(&claim->fd);
	free(claim);
}

static int claim_device(struct sf_lvm_volume *volume, struct sf_err *err)
{
	struct sf_lvm_storage *storage = sf_lvm_storage(volume->base.storage);
	auto_unlock pthread_mutex_t *held = sf_lock(&storage->claiming);
	struct sf_lvm_claim *claim = find_claim(storage, volume->dm);
	struct sf_dm_info info;
	int rc = claim ? 0 : sf_lvm_check_unused(volume, err);

	if (rc == 0 && !claim)
		rc = new_claim(storage, volume, &claim, err);
	if (rc < 0)
		return rc;
	claim->refs++;
	volume->claim = claim;
	volume->claim_fd = claim->fd;
	rc = sf_lvm_check_unused(volume, err);
	if (rc == 0)
		rc = sf_dm_info(volume->dm, &info, err);
	if (rc == 0 && (rc = count_writes(&info, &volume->writes)) < 0)
		sf_fail(err, rc, "count the writes to %s: %s", volume->base.origin, strerror(-rc));
	return rc;
}

int sf_lvm_hold(struct sf_volume *base, struct sf_err *err)
{
	struct sf_lvm_volume *volume = sf_lvm_volume(base);
	struct sf_dm_info info;
	int rc;

	if (volume->claimed)
		return 0;
	rc = sf_dm_info(volume->dm, &info, err);
	if (rc == 0)
		rc = claim_device(volume, err);
	else if (rc == -ENOENT)
		rc = 0; /* an inactive volume has no device to open */
	volume->claimed = rc == 0;
	if (rc < 0)
		sf_lvm_release(base);
	return rc;
}

int sf_lvm_hold_check(struct sf_volume *base, struct sf_err *err)
{
	struct sf_lvm_volume *volume = sf_lvm_volume(base);
	struct sf_dm_info info;
	uint64_t writes;
	int rc = sf_lvm_check_unused(volume, err);

	if (rc < 0 || volume->claim_fd < 0)
		return rc;
	rc = sf_dm_info(volume->dm, &info, err);
	if (rc == 0)
		rc = count_writes(&info, &writes);
	if (rc == 0 && writes != volume->writes)
		rc = sf_fail(err, -EBUSY, "%s was written to while it was held", base->origin);
	return rc;
}

void sf_lvm_release(struct sf_volume *base)
{
	struct sf_lvm_storage *storage = sf_lvm_storage(base->storage);
	struct sf_lvm_volume *volume = sf_lvm_volume(base);

	if (volume->claim) {
		auto_unlock pthread_mutex_t *held = sf_lock(&storage->claiming);

		drop_claim(storage, volume->claim);
	}
	volume->claim = NULL;
	volume->claim_fd = -1;
	volume->claimed = false;
}
