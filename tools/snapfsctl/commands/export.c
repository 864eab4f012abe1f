/* SPDX-License-Identifier: GPL-2.0-or-later */
/* snapfsctl export: copies a snapshot's files into a directory or as a tar archive. */
#include "tools/snapfsctl/tree/interrupt.h"
#include "ctl.h"
#include "tools/snapfsctl/export/export.h"
#include "results.h"
#include "tools/snapfsctl/show/text.h"

#include "base/err.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <string.h>

enum { OPT_ZSTD = 256 };

struct request {
	const char *target; /* NULL: standard output */
	bool zstd;
};

/* Returns -1 after taking all options, otherwise an exit status. */
static int take_options(struct sf_ctl *ctl, int argc, char **argv, struct request *request)
{
	static const struct option options[] = {{"zstd", no_argument, NULL, OPT_ZSTD}, {NULL, 0, NULL, 0}};
	int opt;

	while ((opt = sf_ctl_option(ctl, argc, argv, "", options)) != -1) {
		if (opt != OPT_ZSTD)
			return sf_ctl_stop(opt);
		request->zstd = true;
	}
	if (argc - optind != 2)
		return sf_ctl_usage(ctl, "expected a snapshot and a directory (or -)");
	if (strcmp(argv[optind + 1], "-") != 0)
		request->target = argv[optind + 1];
	if (request->zstd && request->target)
		return sf_ctl_usage(ctl, "--zstd applies only to the archive on standard output (-)");
	if (ctl->json && !request->target)
		return sf_ctl_usage(ctl, "--json and the archive cannot both go to standard output");
	if (ctl->terminal && !request->target)
		return sf_ctl_usage(
			ctl, "refusing to write an archive to a terminal; send it to a file or a pipe");
	return -1;
}

/* Describes a completed export in one line. */
static void describe(const struct sf_export *export, const char *target, char *buf, size_t size)
{
	const struct sf_content *content = &export->content;
	char bytes[SF_TEXT_BYTES];

	sf_text_bytes(content->size_bytes, bytes);
	(void)snprintf(buf, size, "%s: %s %s, %zu file%s, %s, verified", content->path,
		       export->copied ? "exported to" : "is already in", target, content->n,
		       content->n == 1 ? "" : "s", bytes);
}

static int export(struct sf_export *export, const struct request *request, bool quiet, char *done,
		  size_t size, struct sf_err *err)
{
	char what[SF_SNAP_PATH + 16];
	int rc;

	export->digest = sf_digest_new();
	if (!export->digest)
		return sf_fail(err, -ENOMEM, "out of memory");
	(void)snprintf(what, sizeof(what), "export %s", export->content.path);
	sf_progress_begin(&export->progress, what, quiet);
	rc = request->target ? sf_export_dir(export, request->target, err)
			     : sf_export_tar(export, request->zstd, err);
	sf_progress_end(&export->progress);
	sf_digest_free(export->digest);
	if (rc == 0 && request->target)
		describe(export, request->target, done, size);
	if (rc == -EINTR)
		(void)sf_fail(err, rc, "interrupted%s",
			      request->target ? "; the same command resumes it" : "");
	if (rc < 0)
		return sf_wrap(err, rc, "%s%s", what, request->target ? "" : ": the archive is incomplete");
	return 0;
}

int sf_cmd_export(struct sf_ctl *ctl, int argc, char **argv)
{
	struct request request = {0};
	int status = take_options(ctl, argc, argv, &request), rc;
	struct sf_export exported = {.mount = &ctl->mount};
	char done[PATH_MAX + SF_SNAP_PATH + 64] = "";
	struct sf_results results;
	struct sf_err err = {0};

	if (status >= 0 || (status = sf_ctl_open(ctl)) >= 0)
		return status;
	sf_results_init(&results, ctl);
	exported.files = json_array();
	rc = sf_content_open(&exported.content, &ctl->mount, argv[optind], &err);
	sf_interrupt_catch();
	if (rc == 0)
		rc = export(&exported, &request, ctl->json, done, sizeof(done), &err);
	sf_results_add(&results, rc == 0 ? exported.content.path : argv[optind], rc, &err,
		       *done ? done : NULL, json_pack("{s:o}", "files", exported.files));
	sf_content_close(&exported.content);
	return sf_results_end(&results);
}
