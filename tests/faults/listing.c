/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "oracle.h"

#include "base/cleanup.h"
#include "base/err.h"

#include <fcntl.h>
#include <fts.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include <xxhash.h>

static int by_name(const FTSENT **a, const FTSENT **b)
{
	return strcmp((*a)->fts_name, (*b)->fts_name);
}

static uint64_t hash_of_file(const char *path)
{
	auto_fd int fd = open(path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	static char buf[64 * 1024];
	uint64_t hash = 0;
	ssize_t n;

	while (fd >= 0 && (n = read(fd, buf, sizeof(buf))) > 0)
		hash = XXH3_64bits_withSeed(buf, (size_t)n, hash);
	return hash;
}

static void list_entry(const FTSENT *entry, size_t skip, bool details, FILE *out)
{
	bool file = entry->fts_info == FTS_F;

	(void)fprintf(out, "%s", entry->fts_path + skip);
	if (details)
		(void)fprintf(out, " %o", (unsigned)entry->fts_statp->st_mode);
	if (details && file)
		(void)fprintf(out, " %lld %016llx", (long long)entry->fts_statp->st_size,
			      (unsigned long long)hash_of_file(entry->fts_path));
	(void)fputc('\n', out);
}

static void list_tree(const struct stage *stage, const char *name, bool details, FILE *out)
{
	char path[PATH_MAX];
	char *const roots[] = {path, NULL};
	const FTSENT *entry;
	FTS *walk;

	(void)snprintf(path, sizeof(path), "%s/%s", stage->path, name);
	walk = fts_open(roots, FTS_PHYSICAL | FTS_NOCHDIR, by_name);
	while (walk && (entry = fts_read(walk)))
		if (entry->fts_level > 0 && entry->fts_info != FTS_DP)
			list_entry(entry, strlen(path) + 1, details, out);
	if (walk)
		(void)fts_close(walk); /* opened for reading */
}

char *listing_files(const struct stage *stage, const char *name, bool details)
{
	char *text = NULL;
	size_t len;
	FILE *out = open_memstream(&text, &len);

	list_tree(stage, name, details, out);
	(void)fclose(out); /* a memory stream: on allocation failure text is NULL or short, which the
			      comparison notices */
	return text;
}

static int list_object(void *arg, const struct sf_object *object, const char *where, struct sf_err *err)
{
	char text[SF_ID_TEXT];

	(void)where, (void)err;
	sf_id_format(&object->token, text);
	(void)fprintf(arg, "object %s\n", text);
	return 0;
}

bool read_live(struct house *house, unsigned i, char *buf)
{
	struct sf_volume *volume = house_volume(house, i);
	struct sf_err err = {0};
	int rc = volume ? sf_volume_read(volume, buf, STAGE_DISK_BYTES, 0, &err) : -1;

	if (rc < 0 && volume)
		stage_complain(house->stage, "live disk %u: %s", i, err.text);
	sf_volume_close(volume);
	return rc == 0;
}

static void list_disk(struct house *house, unsigned i, FILE *out)
{
	auto_free char *buf = malloc(STAGE_DISK_BYTES);
	struct sf_volume *volume = house_volume(house, i);
	struct sf_err err = {0};

	if (!volume || !buf || !read_live(house, i, buf))
		return;
	(void)fprintf(out, "disk %u %016llx\n", i, (unsigned long long)XXH3_64bits(buf, STAGE_DISK_BYTES));
	if (sf_object_list(volume->storage, volume->origin, list_object, out, &err) < 0)
		stage_complain(house->stage, "list the objects of disk %u: %s", i, err.text);
	sf_volume_close(volume);
}

char *listing_all(struct house *house)
{
	struct sf_sim_view view = house_view(house);
	char *text = NULL;
	size_t len;
	FILE *out = open_memstream(&text, &len);

	list_tree(house->stage, "state", true, out);
	list_tree(house->stage, "images", true, out);
	for (unsigned i = 0; i < house->stage->ndisks; i++)
		list_disk(house, i, out);
	if (house->stage->ground)
		house->stage->ground->list(house->stage, out);
	(void)fprintf(out, "guest %s %d %llu\n", sf_power_name(view.power), view.crashed,
		      (unsigned long long)view.tick);
	(void)fclose(out); /* a memory stream, as above */
	return text;
}
