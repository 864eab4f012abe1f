/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The FUSE mount: its options, its life from mount to unmount, and the signals that end it. */
#ifndef SF_FACE_SESSION_H
#define SF_FACE_SESSION_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

struct fuse_args;
struct sf_engine;
struct sf_err;
struct sf_session;

/* The -o options. state, config and hypervisor serve fstab, which has no long options. NULL: not given. */
struct sf_mount_options {
	char *state;
	char *config;
	char *hypervisor;
	bool gid_given;
	gid_t gid;
	mode_t umask;
	bool show_control;
	unsigned max_read;
	struct fuse_args *rest; /* for libfuse and the kernel */
};

/* Each of opts is a comma-separated list. -EINVAL names the option. */
int sf_mount_options_parse(const char *const *opts, size_t nopts, struct sf_mount_options *ret,
			   struct sf_err *err);
/* Accepts all zeros. */
void sf_mount_options_fini(struct sf_mount_options *options);

/*
 * Blocks SIGTERM, SIGINT and SIGHUP, which sf_session_run() waits for. Call it before starting any thread, so
 * that no thread takes a signal.
 */
void sf_session_block_signals(void);

/* Mounts. Requests wait until sf_session_run(). source: the name that mount tables show. */
int sf_session_open(struct sf_engine *engine, const struct sf_mount_options *options, const char *source,
		    const char *mountpoint, struct sf_session **ret, struct sf_err *err);

/*
 * Serves requests until a signal arrives or someone unmounts. Then it cancels running operations, which
 * makes them undo what they did, and waits for them. -EIO when the kernel ended the connection.
 */
int sf_session_run(struct sf_session *session, struct sf_err *err);

/* Unmounts and closes all open files. Accepts NULL. */
void sf_session_close(struct sf_session *session);

#endif
