/* SPDX-License-Identifier: GPL-2.0-or-later */
/* snapfsctl verify: reads whole snapshots, and checks that they still hold what their manifest records. */
#include "tools/snapfsctl/tree/act.h"
#include "tools/snapfsctl/tree/interrupt.h"
#include "tools/snapfsctl/content/content.h"
#include "ctl.h"
#include "tools/snapfsctl/content/digest.h"
#include "tools/snapfsctl/show/progress.h"
#include "tools/snapfsctl/content/reader.h"
#include "results.h"
#include "tools/snapfsctl/tree/snaps.h"
#include "tools/snapfsctl/show/text.h"

#include "base/cleanup.h"
#include "base/err.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { OPT_ALL = 256, OPT_MAKE };

/* One second each. */
#define STORE_TRIES 60

enum status { S_OK, S_UNCHECKED, S_DIFFERS, S_UNREADABLE };

static const char *const status_names[] = {"ok", "unchecked", "differs", "unreadable"};

struct verification {
	struct sf_ctl *ctl;
	bool make; /* make missing manifests */
	struct sf_digest *digest;
	struct sf_results results;
	size_t nth, nall; /* the number of this snapshot, and of all */
	size_t nunchecked;

	/* About the snapshot that is being read: */
	struct sf_content content;
	struct sf_progress progress;
	uint64_t done_bytes, total_bytes;
	json_t *files;     /* the answer's list of files */
	json_t *manifest;  /* the manifest of what was read */
	char ok[128];      /* "disk.img, memory.sav" */
	size_t nunknown;   /* files without an expected hash */
	struct sf_err err; /* all problems */
};

/* --- one file --- */

static int hash_file(struct verification *v, const struct sf_content_file *file, struct sf_id *ret,
		     struct sf_err *err)
{
	struct sf_reader reader;
	struct sf_piece piece;
	int rc = sf_content_read(&v->content, file, &reader, err);

	if (rc < 0)
		return rc;
	sf_digest_reset(v->digest);
	while ((rc = sf_reader_next(&reader, &piece, err)) > 0) {
		sf_digest_add_piece(v->digest, piece.data, piece.len);
		v->done_bytes += piece.len;
		sf_progress_show(&v->progress, v->done_bytes, v->total_bytes);
	}
	sf_reader_close(&reader);
	*ret = sf_digest_get(v->digest);
	return rc;
}

/* Adds a problem of the snapshot. */
static void add_problem(struct verification *v, int rc, const char *text)
{
	char all[SF_ERR_TEXT];

	if (v->err.code == 0) {
		(void)sf_fail(&v->err, rc, "%s", text);
		return;
	}
	(void)snprintf(all, sizeof(all), "%s; %s", v->err.text, text);
	/* A difference takes precedence over a read error. */
	(void)sf_fail(&v->err, rc == -EBADMSG ? rc : v->err.code, "%s", all);
}

static enum status judge(struct verification *v, const struct sf_content_file *file, const struct sf_id *hash)
{
	char text[SF_CONTENT_PATH + 128];

	if (file->contradicted) {
		(void)snprintf(text, sizeof(text),
			       "%s: its manifest contradicts meta.json or the file's size", file->path);
	} else if (!file->known) {
		return S_UNCHECKED;
	} else if (sf_id_equal(hash, &file->hash)) {
		return S_OK;
	} else {
		(void)snprintf(text, sizeof(text), "%s differs from what %s records", file->path,
			       file->known_by);
	}
	add_problem(v, -EBADMSG, text);
	return S_DIFFERS;
}

/* Adds the file's entry to the answer. hash NULL: the file was not read. */
static void note_file(struct verification *v, const struct sf_content_file *file, enum status status,
		      const struct sf_id *hash, const char *why)
{
	char text[SF_ID_TEXT];
	json_t *entry = json_pack("{s:s, s:s}", "name", file->name, "status", status_names[status]);
	size_t len = strlen(v->ok);

	if (hash) {
		sf_id_format(hash, text);
		json_object_set_new(entry, "xxh3_128", json_string(text));
	}
	if (status == S_DIFFERS) {
		sf_id_format(&file->hash, text);
		json_object_set_new(entry, "expected", json_string(text));
	}
	if (why)
		json_object_set_new(entry, "error", sf_json_lossy(why));
	json_array_append_new(v->files, entry);
	if (status == S_OK)
		(void)snprintf(v->ok + len, sizeof(v->ok) - len, "%s%s", len ? ", " : "", file->name);
	v->nunknown += status == S_UNCHECKED;
}

/*
 * Reads and checks a file, unless its hash is neither known nor wanted. Returns only -EINTR; other errors
 * become problems.
 */
static int verify_file(struct verification *v, const struct sf_content_file *file)
{
	struct sf_err err = {0};
	char text[SF_ID_TEXT];
	struct sf_id hash;
	int rc;

	if (!file->known && !v->make) {
		note_file(v, file, S_UNCHECKED, NULL, NULL);
		return 0;
	}
	rc = hash_file(v, file, &hash, &err);
	if (rc == -EINTR)
		return sf_fail(&v->err, rc, "%s", err.text);
	if (rc < 0) {
		note_file(v, file, S_UNREADABLE, NULL, err.text);
		add_problem(v, rc, err.text);
		return 0;
	}
	note_file(v, file, judge(v, file, &hash), &hash, NULL);
	sf_id_format(&hash, text);
	json_array_append_new(v->manifest, json_pack("{s:s, s:I, s:s}", "name", file->name, "size_bytes",
						     (json_int_t)file->st.st_size, "xxh3_128", text));
	return 0;
}

/* --- one snapshot --- */

/* Whether the snapshot is gone: nothing has this path, or another snapshot has it. */
static bool is_gone(struct verification *v, const char *path)
{
	struct sf_snap now = {0};
	const char *uuid;
	bool gone;
	int rc = sf_snap_load(&v->ctl->mount, path, &now, NULL);

	if (rc < 0)
		return rc == -ENOENT;
	uuid = json_string_value(json_object_get(now.meta, "uuid"));
	gone = *v->content.uuid && uuid && strcmp(uuid, v->content.uuid) != 0;
	sf_snap_fini(&now);
	return gone;
}

/* Retries while another operation has the VM, so that hours of reading are not lost to a short one. */
static int store_patiently(struct verification *v, const char *text)
{
	static const struct timespec second = {.tv_sec = 1};
	int rc = -EBUSY;

	for (int i = 0; i < STORE_TRIES && rc == -EBUSY && !sf_interrupted(); i++) {
		if (i > 0)
			(void)nanosleep(&second, NULL); /* an interrupt ends it and the loop */
		rc = sf_act_manifest(&v->ctl->mount, v->ctl->json, &v->content.snap, text, &v->err);
	}
	if (rc == 0)
		v->err = (struct sf_err){0};
	else if (v->err.code == 0)
		(void)sf_fail(&v->err, -EINTR, "%s: interrupted; its manifest was not stored",
			      v->content.path);
	return rc;
}

static int store_manifest(struct verification *v)
{
	auto_json json_t *root = json_pack("{s:i, s:O}", "schema", 1, "files", v->manifest);
	auto_free char *text = root ? json_dumps(root, JSON_COMPACT) : NULL;

	if (!text)
		return sf_fail(&v->err, -ENOMEM, "out of memory");
	if (is_gone(v, v->content.path))
		return sf_fail(&v->err, -ESTALE, "%s was renamed or deleted meanwhile", v->content.path);
	return store_patiently(v, text);
}

static void report(struct verification *v, const char *argument)
{
	struct sf_content *content = &v->content;
	const char *path = *content->path ? content->path : argument;
	bool made = v->nunknown > 0 && v->make && v->err.code == 0;
	const char *status = v->err.code == -EBADMSG ? "differs"
			     : v->err.code < 0       ? "failed"
			     : made                  ? "made"
			     : v->nunknown           ? "unchecked"
						     : "ok";
	char line[SF_SNAP_PATH + 256], bytes[SF_TEXT_BYTES];
	json_t *extra = json_pack("{s:s, s:O}", "status", status, "files", v->files);

	sf_text_bytes(content->size_bytes, bytes);
	if (v->nunknown && !v->make)
		(void)snprintf(line, sizeof(line), "%s: unchecked: it has no manifest%s%s%s", path,
			       *v->ok ? "; " : "", v->ok, *v->ok ? " ok" : "");
	else
		(void)snprintf(line, sizeof(line), "%s: %s, %zu file%s, %s%s", path,
			       made ? "manifest made" : "ok", content->n, content->n == 1 ? "" : "s", bytes,
			       v->make && !made ? " (it has a manifest already)" : "");
	v->nunchecked += v->err.code == 0 && v->nunknown && !v->make;
	sf_results_add(&v->results, path, v->err.code, &v->err, line, extra);
}

static void read_snapshot(struct verification *v)
{
	char what[SF_SNAP_PATH + 64], count[32] = "";
	int rc = 0;

	if (v->nall > 1)
		(void)snprintf(count, sizeof(count), " (%zu of %zu)", v->nth, v->nall);
	(void)snprintf(what, sizeof(what), "verify %s%s", v->content.path, count);
	v->done_bytes = v->total_bytes = 0;
	for (size_t i = 0; i < v->content.n; i++)
		if (v->content.files[i].known || v->make)
			v->total_bytes += (uint64_t)v->content.files[i].st.st_size;
	sf_progress_begin(&v->progress, what, v->ctl->json);
	for (size_t i = 0; i < v->content.n && rc == 0; i++)
		rc = verify_file(v, &v->content.files[i]);
	sf_progress_end(&v->progress);
	if (rc == 0 && v->err.code == 0 && v->make && v->nunknown > 0)
		(void)store_manifest(v); /* the failure is in v->err */
}

/* gone_is_fine: the snapshot is from a list that may be outdated. */
static void verify_snapshot(struct verification *v, const char *argument, bool gone_is_fine)
{
	int rc;

	v->nth++;
	v->err = (struct sf_err){0};
	v->nunknown = 0;
	*v->ok = '\0';
	rc = sf_content_open(&v->content, &v->ctl->mount, argument, &v->err);
	v->files = json_array();
	v->manifest = json_array();
	if (rc == 0)
		read_snapshot(v);
	if (!gone_is_fine || (v->err.code != -ENOENT && v->err.code != -ESTALE) || !is_gone(v, argument))
		report(v, argument);
	json_decref(v->files);
	json_decref(v->manifest);
	sf_content_close(&v->content);
}

/* --- all snapshots of the command line --- */

static void verify_all(struct verification *v, char **vms, size_t nvms)
{
	struct sf_err err = {0};

	for (size_t i = 0; i < (nvms ? nvms : 1) && !sf_interrupted(); i++) {
		struct sf_snaps snaps = {0};
		char vm[SF_SNAP_PATH], path[SF_SNAP_PATH];
		int rc = nvms ? sf_mount_path(&v->ctl->mount, vms[i], vm, sizeof(vm), &err) : 0;

		if (rc == 0)
			rc = sf_snaps_load(&v->ctl->mount, nvms ? vm : NULL, &snaps, &err);
		if (rc < 0) {
			sf_results_add(&v->results, nvms ? vms[i] : v->ctl->mount.path, rc, &err, NULL, NULL);
			continue;
		}
		v->nth = 0;
		v->nall = snaps.n;
		for (size_t j = 0; j < snaps.n && !sf_interrupted(); j++) {
			sf_snap_path(&snaps.list[j], path);
			verify_snapshot(v, path, true);
		}
		sf_snaps_fini(&snaps);
	}
}

/* Returns -1 after taking all options, otherwise an exit status. */
static int take_options(struct sf_ctl *ctl, int argc, char **argv, bool *all, bool *make)
{
	static const struct option options[] = {{"all", no_argument, NULL, OPT_ALL},
						{"make", no_argument, NULL, OPT_MAKE},
						{NULL, 0, NULL, 0}};
	int opt;

	while ((opt = sf_ctl_option(ctl, argc, argv, "", options)) != -1) {
		if (opt == OPT_ALL)
			*all = true;
		else if (opt == OPT_MAKE)
			*make = true;
		else
			return sf_ctl_stop(opt);
	}
	return optind < argc || *all ? -1 : sf_ctl_usage(ctl, "expected a snapshot; --all verifies all");
}

/* Reports the outcome. A failure takes precedence over a snapshot without a manifest. */
static int end(struct verification *v)
{
	if (v->nunchecked > 0)
		sf_ctl_say("%zu snapshot%s no manifest; --make makes one from the current content",
			   v->nunchecked, v->nunchecked == 1 ? " has" : "s have");
	(void)sf_results_end(&v->results);               /* its status ignores unchecked snapshots */
	if (sf_interrupted() && v->results.nfailed == 0) /* between two snapshots */
		sf_ctl_say("interrupted");
	if (sf_interrupted() || v->results.nfailed > 0)
		return SF_EXIT_FAILED;
	return v->nunchecked > 0 ? SF_EXIT_PARTLY : SF_EXIT_OK;
}

int sf_cmd_verify(struct sf_ctl *ctl, int argc, char **argv)
{
	struct verification v = {.ctl = ctl};
	bool all = false;
	int status = take_options(ctl, argc, argv, &all, &v.make);

	if (status >= 0 || (status = sf_ctl_open(ctl)) >= 0)
		return status;
	v.digest = sf_digest_new();
	if (!v.digest) {
		sf_ctl_say("out of memory");
		return SF_EXIT_FAILED;
	}
	sf_results_init(&v.results, ctl);
	sf_interrupt_catch();
	v.nall = (size_t)(argc - optind);
	if (all)
		verify_all(&v, argv + optind, (size_t)(argc - optind));
	for (int i = optind; !all && i < argc && !sf_interrupted(); i++)
		verify_snapshot(&v, argv[i], false);
	sf_digest_free(v.digest);
	return end(&v);
}
