/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The attributes of the tree's nodes; see tree.h. */
#include "tree.h"

#include "core/engine/engine.h"

#include "base/cleanup.h"

#include <string.h>

#define NS_PER_S 1000000000U
/* cp reads this much at a time: one full FUSE request. Text files do not need it. */
#define BLKSIZE_IMAGE (1024 * 1024)
#define BLKSIZE_TEXT  4096

/*
 * Returns the time of the newest change and sets the number of VMs. Both are 0 when out of memory: the root's
 * time and link count are then wrong, which does no harm.
 */
static uint64_t root_changed(const struct sf_tree *tree, size_t *ret_nvms)
{
	auto_free struct sf_vm_info *vms = NULL;
	uint64_t newest = 0;

	*ret_nvms = 0;
	if (sf_catalog_vms(tree->catalog, &vms, ret_nvms) < 0)
		return 0;
	for (size_t i = 0; i < *ret_nvms; i++)
		if (vms[i].changed_ns > newest)
			newest = vms[i].changed_ns;
	return newest;
}

static void stat_root(const struct sf_tree *tree, struct stat *st, uint64_t *changed_ns)
{
	size_t nvms;

	*changed_ns = root_changed(tree, &nvms);
	st->st_nlink = 2 + nvms + 1; /* .snapfs exists even when it is not listed */
}

static void stat_image(const struct sf_node *node, struct stat *st)
{
	const struct sf_record *record = &node->snapshot->record;
	uint64_t size = record->memory.size_bytes, allocated = size;

	if (node->file != SF_FILE_MEMORY) {
		size = record->disks[node->file].stat.size_bytes;
		allocated = record->disks[node->file].stat.allocated_bytes;
	}
	st->st_size = (off_t)size;
	st->st_blocks = (blkcnt_t)(allocated / 512 + (allocated % 512 != 0));
	st->st_blksize = BLKSIZE_IMAGE;
}

static void stat_size_and_time(const struct sf_tree *tree, const struct sf_node *node, struct stat *st)
{
	uint64_t ns = node->snapshot ? node->snapshot->record.taken_ns : node->vm.changed_ns;

	if (node->kind == SF_NODE_ROOT) {
		stat_root(tree, st, &ns);
	} else if (node->kind == SF_NODE_VM) {
		st->st_nlink = 2 + node->vm.nsnapshots;
	} else if (node->kind == SF_NODE_IMAGE) {
		stat_image(node, st);
	} else if (node->kind == SF_NODE_META) {
		st->st_size = (off_t)node->snapshot->meta_len;
		st->st_blocks = (st->st_size + 511) / 512;
		ns = node->snapshot->record.edited_ns;
	} else if (node->kind == SF_NODE_MANIFEST) {
		st->st_size = (off_t)node->snapshot->manifest_bytes;
		st->st_blocks = (st->st_size + 511) / 512;
		ns = node->snapshot->manifest_ns;
	}
	if (ns == 0)
		ns = tree->started_ns;
	st->st_mtim = (struct timespec){.tv_sec = (time_t)(ns / NS_PER_S), .tv_nsec = (long)(ns % NS_PER_S)};
	st->st_atim = st->st_ctim = st->st_mtim;
}

static void stat_mode(const struct sf_tree *tree, const struct sf_node *node, struct stat *st)
{
	/* .snapshots.json shows what the meta.json files show, to the same readers. */
	bool readable = !sf_node_is_control(node) || node->kind == SF_NODE_SNAPSHOTS_JSON;

	if (sf_node_is_dir(node))
		st->st_mode = S_IFDIR | (0777 & ~tree->umask);
	else if (readable)
		st->st_mode = S_IFREG | (0444 & ~tree->umask);
	else if (node->kind == SF_NODE_REVERT || node->kind == SF_NODE_SET_MANIFEST ||
		 node->kind == SF_NODE_SET_DELETED)
		st->st_mode = S_IFREG | 0200;
	else
		st->st_mode = S_IFREG | (sf_node_is_writable(node) ? 0600 : 0400);
	if (tree->gid_given && readable)
		st->st_gid = tree->gid;
}

void sf_tree_stat(const struct sf_tree *tree, const struct sf_node *node, struct stat *ret)
{
	memset(ret, 0, sizeof(*ret));
	ret->st_ino = node->ino;
	ret->st_nlink = sf_node_is_dir(node) ? 2 : 1;
	ret->st_blksize = BLKSIZE_TEXT;
	stat_mode(tree, node, ret);
	stat_size_and_time(tree, node, ret);
}
