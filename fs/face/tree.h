/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The mounted tree as a function of inode numbers: look-ups, attributes, listings. There is no inode table:
 * the number says what an inode is, and the catalog whether it still exists. Knows nothing of FUSE; takes no
 * lock of its own.
 *
 *   1             /              2             .snapfs        3..8, 32     its files
 *   vm id         /VM            vm id | 1     .create        vm id | 2, 3 .vm.json, .snapshots.json
 *   snapshot id   /VM/NAME       id | 1, 2, 3  meta.json, memory.sav, revert
 *                                id | 4, 5, 6  manifest.json, .manifest, .delete
 *                                id | 16 + n   disk n
 */
#ifndef SF_FACE_TREE_H
#define SF_FACE_TREE_H

#include "core/state/catalog.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>

struct sf_tree {
	struct sf_catalog *catalog;
	uint64_t started_ns; /* mtime of nodes without a time of their own */
	bool gid_given;      /* -o gid=: directories and data files belong to this group */
	gid_t gid;
	mode_t umask; /* -o umask=, default 077 */
	bool show_control;
};

enum sf_node_kind {
	SF_NODE_ROOT,
	SF_NODE_REPORTS,        /* .snapfs */
	SF_NODE_REPORT,         /* a file in it */
	SF_NODE_RUN,            /* .snapfs/run */
	SF_NODE_VM,             /* from here on, vm is set */
	SF_NODE_CREATE,         /* .create */
	SF_NODE_VM_JSON,        /* .vm.json */
	SF_NODE_SNAPSHOTS_JSON, /* .snapshots.json */
	SF_NODE_SNAPSHOT, /* from here on, snapshot is set too; a VM that is gone comes from its record */
	SF_NODE_META,
	SF_NODE_MANIFEST,     /* manifest.json */
	SF_NODE_SET_MANIFEST, /* .manifest */
	SF_NODE_SET_DELETED,  /* .delete */
	SF_NODE_REVERT,
	SF_NODE_IMAGE, /* a disk or the RAM */
};

enum sf_report {
	SF_REPORT_JOBS,
	SF_REPORT_HEALTH,
	SF_REPORT_LAST_ERROR,
	SF_REPORT_METRICS,
	SF_REPORT_VERSION,
	SF_REPORT_SCHEDULES
};

/* One file or directory. Holds a reference to its snapshot: call sf_node_fini() when done. */
struct sf_node {
	enum sf_node_kind kind;
	uint64_t ino;
	struct sf_vm_info vm;
	struct sf_snapshot *snapshot;
	size_t file;           /* of SF_NODE_IMAGE: the disk's index or SF_FILE_MEMORY */
	enum sf_report report; /* of SF_NODE_REPORT */
};

/* Accepts a node of all zeros. */
void sf_node_fini(struct sf_node *node);
bool sf_node_is_dir(const struct sf_node *node);
/* Files whose content is generated at open, and files that take commands. */
bool sf_node_is_control(const struct sf_node *node);
/* Files that take commands. */
bool sf_node_is_writable(const struct sf_node *node);

/* The path for messages, such as "web/clean/disk.img"; empty for the root. */
#define SF_NODE_PATH (2 * (SF_NAME_MAX + 1) + SF_DISK_FILE)
void sf_node_path(const struct sf_node *node, char path[static SF_NODE_PATH]);

/* The node of an inode number. -ENOENT when there is none, or no longer. */
int sf_tree_node(const struct sf_tree *tree, uint64_t ino, struct sf_node *ret);

/* The child of that name, also "." and "..". -ENOENT, -ENOTDIR. */
int sf_tree_lookup(const struct sf_tree *tree, const struct sf_node *dir, const char *name,
		   struct sf_node *ret);

/* Inode numbers of a snapshot's meta.json and manifest.json. snapshot: its directory or any node in it. */
uint64_t sf_tree_meta_ino(const struct sf_node *snapshot);
uint64_t sf_tree_manifest_ino(const struct sf_node *snapshot);

void sf_tree_stat(const struct sf_tree *tree, const struct sf_node *node, struct stat *ret);

struct sf_entry {
	uint64_t ino;
	bool is_dir;
	char name[SF_NAME_MAX + 1];
};

/* A directory's content at one moment, "." and ".." first. The caller frees *ret. -ENOTDIR, -ENOMEM. */
int sf_tree_list(const struct sf_tree *tree, const struct sf_node *dir, struct sf_entry **ret, size_t *ret_n);

#endif
