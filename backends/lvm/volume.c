/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Live LVs: which they are, how large, who has them open. */
#include "internal.h"

#include "base/cleanup.h"
#include "base/err.h"
#include "base/proc.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

/* On many hosts udev opens a device for a moment whenever somebody had it open for writing. */
#define SETTLE_TRIES 10
#define SETTLE_MS    50
/* "LVM-" and the ids of VG and LV; what follows is a layer's name, and no volume of anybody's. */
#define LVM_DM_UUID  68
#define BOUNCE       ((size_t)1024 * 1024)
#define BOUNCE_ALIGN 4096U

/* --- which LV --- */

static int read_sysfs(dev_t dev, const char *file, char *buf, size_t size)
{
	char path[96];
	auto_fd int fd = -1;
	ssize_t n;

	(void)snprintf(path, sizeof(path), "/sys/dev/block/%u:%u/%s", major(dev), minor(dev), file);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	n = fd < 0 ? -1 : read(fd, buf, size - 1);
	if (n < 0)
		return -errno;
	buf[n] = '\0';
	buf[strcspn(buf, "\n")] = '\0';
	return 0;
}

/* A single hyphen parts VG and LV, a double one stands for itself (lvm2, libdm: dm_split_lvm_name). */
static bool split_dm_name(const char *name, char vg[static SF_LVM_NAME], char lv[static SF_LVM_NAME])
{
	char *part = vg;
	size_t len = 0;

	for (; *name && len + 1 < SF_LVM_NAME; name++) {
		if (name[0] == '-' && name[1] != '-') {
			if (part == lv)
				return false; /* a layer follows */
			part[len] = '\0';
			part = lv;
			len = 0;
			continue;
		}
		part[len++] = *name;
		name += *name == '-';
	}
	part[len] = '\0';
	return !*name && part == lv && len > 0 && *vg;
}

static bool is_lvm_name(const char *name)
{
	return *name && *name != '-' && *name != '.' &&
	       name[strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789+_.-")] ==
		       '\0';
}

int sf_lvm_split_origin(const char *origin, char vg[static SF_LVM_NAME], char lv[static SF_LVM_NAME],
			struct sf_err *err)
{
	const char *slash = strncmp(origin, "/dev/", 5) == 0 ? strchr(origin + 5, '/') : NULL;

	if (slash && slash - (origin + 5) < SF_LVM_NAME && strlen(slash + 1) < SF_LVM_NAME) {
		memcpy(vg, origin + 5, (size_t)(slash - (origin + 5)));
		vg[slash - (origin + 5)] = '\0';
		memcpy(lv, slash + 1, strlen(slash + 1) + 1);
		if (is_lvm_name(vg) && is_lvm_name(lv))
			return 0;
	}
	return sf_fail(err, -EINVAL, "%s is not /dev/VG/LV", origin);
}

/* Directories of /dev that hold no VG's nodes. */
static bool is_other_dir(const char *vg)
{
	static const char *const others[] = {"mapper", "disk", "shm", "block", "char",
					     "loop",   "pts",  "md",  "zvol"};

	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
		if (strcmp(vg, others[i]) == 0)
			return true;
	return false;
}

/* A node of LVM's, or the name of one that is not there because its LV is inactive. */
static bool resolve(const char *spec, char vg[static SF_LVM_NAME], char lv[static SF_LVM_NAME])
{
	char uuid[SF_DM_UUID + 1], name[SF_DM_NAME + 1];
	struct stat st;

	if (stat(spec, &st) < 0 && strncmp(spec, "/dev/mapper/", 12) == 0)
		return split_dm_name(spec + 12, vg, lv) && is_lvm_name(vg) && is_lvm_name(lv);
	if (stat(spec, &st) < 0)
		return sf_lvm_split_origin(spec, vg, lv, NULL) == 0 && !is_other_dir(vg);
	return S_ISBLK(st.st_mode) && read_sysfs(st.st_rdev, "dm/uuid", uuid, sizeof(uuid)) == 0 &&
	       strncmp(uuid, "LVM-", 4) == 0 && strlen(uuid) == LVM_DM_UUID &&
	       read_sysfs(st.st_rdev, "dm/name", name, sizeof(name)) == 0 && split_dm_name(name, vg, lv);
}

/* Facts about a volume may be old; one that is not among them is looked for again. */
static int look_for_volume(struct sf_lvm *lvm, const char *vg, const char *lv,
			   struct sf_lvm_report **ret_report, const struct sf_lv **ret, struct sf_err *err)
{
	static const uint64_t ages[] = {SF_LVM_FACTS_MS, SF_LVM_OBJECTS_MS};

	for (size_t i = 0; i < sizeof(ages) / sizeof(ages[0]); i++) {
		auto_report struct sf_lvm_report *report = NULL;
		int rc = sf_lvm_report(lvm, vg, ages[i], i == 0, &report, err);
		const struct sf_lv *found = rc < 0 ? NULL : sf_lvm_find(report, lv);

		if (rc < 0)
			return rc;
		if (found) {
			*ret = found;
			*ret_report = sf_take_ptr(&report);
			return 0;
		}
	}
	return sf_fail(err, -ENOENT, "VG %s has no logical volume '%s'", vg, lv);
}

/* One that a revert was cut short of has its name again first. */
static int find_volume(struct sf_lvm_storage *storage, const char *vg, const char *lv,
		       struct sf_lvm_report **ret_report, const struct sf_lv **ret, struct sf_err *err)
{
	int rc = look_for_volume(storage->lvm, vg, lv, ret_report, ret, err);

	if (rc == -ENOENT && storage->thin && sf_lvm_heal(storage, vg, lv, NULL) == 0)
		rc = look_for_volume(storage->lvm, vg, lv, ret_report, ret, err);
	return rc;
}

static bool is_thin(const struct sf_lv *lv)
{
	return strcmp(lv->segtype, "thin") == 0;
}

/* What cannot be asked about goes to lvm_classic, whose volume_open then says why. */
bool sf_lvm_claims(struct sf_storage *storage, const char *spec)
{
	struct sf_lvm_storage *own = sf_lvm_storage(storage);
	auto_report struct sf_lvm_report *report = NULL;
	char vg[SF_LVM_NAME], lv[SF_LVM_NAME];
	const struct sf_lv *found;

	if (!resolve(spec, vg, lv))
		return false;
	if (find_volume(own, vg, lv, &report, &found, NULL) < 0)
		return !own->thin;
	return own->thin == is_thin(found);
}

/* --- opening --- */

static int check_volume(const struct sf_lvm_report *report, const struct sf_lv *lv, struct sf_err *err)
{
	size_t len = strlen(lv->segtype);

	if (lv->tagged && strncmp(lv->name, "snapfs_", 7) == 0)
		return sf_fail(err, -EINVAL, "%s/%s is itself a snapshot of snapfs", report->vg, lv->name);
	if (sf_lvm_is_cow(report, lv, NULL))
		return sf_fail(err, -EINVAL, "%s/%s is a snapshot of %s", report->vg, lv->name, lv->origin);
	if (len > 5 && strcmp(lv->segtype + len - 5, "-pool") == 0)
		return sf_fail(err, -EINVAL, "%s/%s is a pool", report->vg, lv->name);
	return 0;
}

/* Who claimed it may not have been able to ask. */
static int check_kind(const struct sf_lvm_storage *storage, const struct sf_lvm_report *report,
		      const struct sf_lv *lv, struct sf_err *err)
{
	if (storage->thin == is_thin(lv))
		return 0;
	return sf_fail(err, -EAGAIN, "%s/%s is %s volume, which LVM did not say a moment ago", report->vg,
		       lv->name, is_thin(lv) ? "a thin" : "no thin");
}

int sf_lvm_volume_open(struct sf_storage *storage, const char *vm, const struct sf_disk *disk,
		       struct sf_volume **ret, struct sf_err *err)
{
	auto_free struct sf_lvm_volume *volume = calloc(1, sizeof(*volume));
	auto_report struct sf_lvm_report *report = NULL;
	const struct sf_lv *lv;
	int rc;

	(void)vm;
	if (!volume)
		return sf_fail(err, -ENOMEM, "open %s: out of memory", disk->spec);
	if (!resolve(disk->spec, volume->vg, volume->lv))
		return sf_fail(err, -ENOENT, "open %s: it is no logical volume any more", disk->spec);
	if ((rc = find_volume(sf_lvm_storage(storage), volume->vg, volume->lv, &report, &lv, err)) < 0 ||
	    (rc = check_volume(report, lv, err)) < 0 ||
	    (rc = check_kind(sf_lvm_storage(storage), report, lv, err)) < 0 ||
	    (rc = sf_dm_name(volume->vg, volume->lv, NULL, volume->dm, err)) < 0)
		return sf_wrap(err, rc, "open %s", disk->spec);
	volume->base.storage = storage;
	(void)snprintf(volume->base.origin, sizeof(volume->base.origin), "/dev/%s/%s", volume->vg,
		       volume->lv);
	volume->claim_fd = -1;
	*ret = &((struct sf_lvm_volume *)sf_take_ptr(&volume))->base;
	return 0;
}

void sf_lvm_volume_close(struct sf_volume *volume)
{
	sf_lvm_release(volume);
	free(volume);
}

/* An inactive LV has no device to ask; then LVM's metadata says. */
int sf_lvm_volume_stat(struct sf_volume *base, struct sf_volume_stat *ret, struct sf_err *err)
{
	struct sf_lvm_volume *volume = sf_lvm_volume(base);
	bool thin = sf_lvm_storage(base->storage)->thin;
	auto_report struct sf_lvm_report *report = NULL;
	struct sf_volume_stat st = {.instant = true, .method = thin ? "thin" : "classic"};
	struct sf_dm_target target;
	struct sf_dm_thin dm;
	const struct sf_lv *lv;
	int rc = sf_dm_table(volume->dm, &target, err);

	if (rc == 0)
		st.size_bytes = target.size_bytes;
	else if (rc == -ENOENT && (rc = find_volume(sf_lvm_storage(base->storage), volume->vg, volume->lv,
						    &report, &lv, err)) == 0)
		st.size_bytes = lv->size_bytes;
	if (rc < 0)
		return rc;
	st.allocated_bytes = st.size_bytes;
	if (thin && !report && sf_dm_thin(volume->dm, &dm, NULL) == 0 && dm.mapped_bytes < st.size_bytes)
		st.allocated_bytes = dm.mapped_bytes;
	*ret = st;
	return 0;
}

int sf_lvm_check_vg(const struct sf_lvm_report *report, struct sf_err *err)
{
	if (report->missing_pvs > 0)
		return sf_fail(err, -EIO, "VG %s lacks %u of its physical volumes: LVM changes nothing in it",
			       report->vg, report->missing_pvs);
	return 0;
}

/* --- reading and writing --- */

int sf_lvm_open_device(const char *dm, int flags, struct sf_err *err)
{
	char path[SF_DM_NAME + 16];
	struct stat st;
	auto_fd int fd = -1;

	(void)snprintf(path, sizeof(path), "/dev/mapper/%s", dm);
	fd = open(path, flags | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &st) < 0)
		return sf_fail(err, -errno, "open %s: %s", path, strerror(errno));
	if (!S_ISBLK(st.st_mode))
		return sf_fail(err, -EINVAL, "%s is not a device", path);
	return sf_take_fd(&fd);
}

static int read_fully(int fd, const char *what, char *at, size_t len, uint64_t off, struct sf_err *err)
{
	while (len > 0) {
		ssize_t n = pread(fd, at, len, (off_t)off);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return sf_fail(err, n < 0 ? -errno : -EIO, "read %s at %" PRIu64 ": %s", what, off,
				       n < 0 ? strerror(errno) : "it ends before that");
		at += n;
		off += (uint64_t)n;
		len -= (size_t)n;
	}
	return 0;
}

int sf_lvm_pread(int fd, const char *what, void *buf, size_t len, uint64_t off, struct sf_err *err)
{
	auto_free char *bounce = NULL;
	char *at = buf;
	int rc;

	if ((uintptr_t)buf % BOUNCE_ALIGN == 0 && off % BOUNCE_ALIGN == 0 && len % BOUNCE_ALIGN == 0)
		return read_fully(fd, what, buf, len, off, err);
	if (posix_memalign((void **)&bounce, BOUNCE_ALIGN, BOUNCE) != 0)
		return sf_fail(err, -ENOMEM, "read %s: out of memory", what);
	while (len > 0) {
		size_t skip = off % BOUNCE_ALIGN;
		size_t piece = len < BOUNCE - skip ? len : BOUNCE - skip;
		size_t whole = (skip + piece + BOUNCE_ALIGN - 1) / BOUNCE_ALIGN * BOUNCE_ALIGN;
		ssize_t n;

		do
			n = pread(fd, bounce, whole, (off_t)(off - skip));
		while (n < 0 && errno == EINTR);
		rc = n < 0 ? -errno : (size_t)n < skip + piece ? -EIO : 0; /* a device may end inside whole */
		if (rc < 0)
			return sf_fail(err, rc, "read %s at %" PRIu64 ": %s", what, off, strerror(-rc));
		memcpy(at, bounce + skip, piece);
		at += piece;
		off += piece;
		len -= piece;
	}
	return 0;
}

int sf_lvm_volume_read(struct sf_volume *base, void *buf, size_t len, uint64_t off, struct sf_err *err)
{
	auto_fd int fd = sf_lvm_open_device(sf_lvm_volume(base)->dm, O_RDONLY, err);

	return fd < 0 ? fd : read_fully(fd, base->origin, buf, len, off, err);
}

int sf_lvm_volume_write(struct sf_volume *base, const void *buf, size_t len, uint64_t off, struct sf_err *err)
{
	auto_fd int fd = sf_lvm_open_device(sf_lvm_volume(base)->dm, O_WRONLY, err);
	const char *at = buf;

	if (fd < 0)
		return fd;
	while (len > 0) {
		ssize_t n = pwrite(fd, at, len, (off_t)off);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return sf_fail(err, -errno, "write %s: %s", base->origin, strerror(errno));
		at += n;
		off += (uint64_t)n;
		len -= (size_t)n;
	}
	return fdatasync(fd) < 0 ? sf_fail(err, -errno, "write %s: %s", base->origin, strerror(errno)) : 0;
}

/* --- who has it open --- */

/* Writes and discards that the device has completed (Documentation/admin-guide/iostats.rst, fields 5 and 12).
 */
static int count_writes(const struct sf_dm_info *info, uint64_t *ret)
{
	char text[512], *at = text;
	uint64_t n = 0;
	int rc = read_sysfs(makedev(info->major, info->minor), "stat", text, sizeof(text));

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
	return sf_fail(err, -EBUSY, "%s is in use: it is open %u times elsewhere", volume->base.origin,
		       info.open_count - own);
}

/* --- claims; under storage->claiming --- */

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
	int fd;

	if (!claim)
		return sf_fail(err, -ENOMEM, "out of memory");
	/* Only a classic revert writes; and where a writer closes, udev has a look into the device. */
	fd = sf_lvm_open_device(volume->dm, (storage->thin ? O_RDONLY : O_RDWR) | O_DIRECT | O_EXCL, err);
	if (fd == -EROFS || fd == -EACCES || fd == -EPERM)
		fd = sf_lvm_open_device(volume->dm, O_RDONLY | O_DIRECT | O_EXCL, err);
	if (fd == -EBUSY)
		return sf_fail(err, -EBUSY, "%s is in use: it is mounted, or claimed by someone",
			       volume->base.origin);
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

/* --- holding --- */

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
		rc = 0; /* nobody has an inactive volume open */
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

int sf_lvm_settle_udev(struct sf_err *err)
{
	static const char *const argv[] = {"udevadm", "settle", "--timeout=10", NULL}, *const env[] = {NULL};
	const struct sf_proc_spec spec = {.argv = argv, .extra_env = env, .stdout_fd = -1, .stderr_fd = -1};
	struct sf_proc proc;
	int status, rc;

	if (access("/run/udev/control", F_OK) < 0)
		return 0;
	rc = sf_proc_start(&spec, &proc, err);
	if (rc == 0)
		rc = sf_proc_wait(&proc, SF_PROC_FOREVER, &status, err); /* its own deadline is 10 s */
	return rc;
}
