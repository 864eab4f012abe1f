/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Handles writes into .snapfs/run, by which schedulers report their runs. A command is executed at once on
 * the thread that received it: it only writes a small file and calls no backend. The open file owns the run
 * that was begun through it.
 */
#define FUSE_USE_VERSION 312

#include "data.h"
#include "ops.h"
#include "reply.h"

#include "control.h"

#include "core/engine/engine.h"

#include "base/err.h"

#include <fuse_lowlevel.h>

static int execute(struct sf_runs *runs, const struct sf_control_run *run, const void *owner,
		   struct sf_err *err)
{
	switch (run->command) {
	case SF_RUN_BEGIN:
		return sf_runs_begin(runs, &run->request, owner, err);
	case SF_RUN_END:
		return sf_runs_end(runs, &run->result, owner, err);
	case SF_RUN_FORGET:
		break;
	}
	return sf_runs_forget(runs, run->request.schedule, err);
}

/* Unlike in other control files, a later command may come at the writer's file position, not at offset 0. */
void sf_ops_write_run(fuse_req_t req, const struct sf_node *node, const char *buf, size_t size, off_t off,
		      const struct fuse_file_info *fi)
{
	const struct sf_fs *fs = fuse_req_userdata(req);
	struct sf_handle *handle = (struct sf_handle *)(uintptr_t)fi->fh;
	struct sf_control_run run;
	struct sf_err err = {0};
	bool given = false;
	int rc = sf_control_parse_run(buf, size, &run, &given, &err);

	if (rc == 0 && given)
		rc = execute(sf_engine_runs(fs->engine), &run, handle, &err);
	if (rc == 0 && given && run.command == SF_RUN_BEGIN)
		sf_data_runs(handle);
	if (rc < 0 || given)
		sf_data_answer(handle, sf_control_run_outcome(rc, &err), (uint64_t)off + (rc < 0 ? 0 : size));
	if (rc < 0)
		sf_reply_refuse_node(req, fs, "write", node, NULL, rc, err.text);
	else
		fuse_reply_write(req, size);
}
