/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Fuzzes writes to control files. What is accepted must follow the rules for names and disks; a refusal must
 * be one printable line.
 */
#include "face/control.h"

#include "base/err.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_create(const struct sf_control_create *create)
{
	const struct sf_create_request *request = &create->request;

	if (*request->name && sf_name_check(request->name, NULL) < 0)
		abort();
	if ((request->ndisks > 0) != (request->disks != NULL) || request->ndisks > SF_VM_DISKS_MAX)
		abort();
	for (size_t i = 0; i < request->ndisks; i++)
		if (sf_vdev_check(request->disks[i], NULL) < 0)
			abort();
	if (request->description && strlen(request->description) > SF_DESCRIPTION_MAX)
		abort();
}

static void check_run(const struct sf_control_run *run)
{
	const struct sf_run_result *result = &run->result;

	if (run->command == SF_RUN_END
		    ? result->state == SF_RUN_RUNNING || sf_run_text_check(result->text, NULL) < 0
		    : sf_name_check(run->request.schedule, NULL) < 0)
		abort();
}

/* An accepted manifest can be written, and names only files that a snapshot can have. */
static void check_manifest(const struct sf_manifest *manifest)
{
	const struct sf_id uuid = {.bytes = {1}};
	size_t len;
	char *text = sf_manifest_format(manifest, &uuid, 1, &len);

	if (manifest->n == 0 || manifest->n > SF_MANIFEST_FILES_MAX || !text || len > SF_MANIFEST_BYTES_MAX)
		abort();
	for (size_t i = 0; i < manifest->n; i++)
		if (strpbrk(manifest->files[i].name, "/\n\x1b\"") ||
		    strlen(manifest->files[i].name) >= SF_DISK_FILE)
			abort();
	free(text);
}

static void check_refusal(int rc, const struct sf_err *err)
{
	char *outcome;

	if (rc >= 0)
		return;
	outcome = sf_control_outcome("web", "", "", rc, err);
	if (err->code != rc || !*err->text || !outcome ||
	    strchr(outcome, '\n') != outcome + strlen(outcome) - 1)
		abort();
	free(outcome);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *text = (const char *)data;
	struct sf_control_create create;
	struct sf_control_run run;
	struct sf_manifest manifest;
	struct sf_revert_request revert;
	struct sf_err err = {0};
	bool given = false, held;
	int rc = sf_control_parse_create(text, size, &create, &given, &err);

	check_refusal(rc, &err);
	if (rc == 0 && given)
		check_create(&create);
	given = false;
	rc = sf_control_parse_manifest(text, size, &manifest, &given, &err);
	check_refusal(rc, &err);
	if (rc == 0 && given)
		check_manifest(&manifest);
	given = false;
	rc = sf_control_parse_run(text, size, &run, &given, &err);
	check_refusal(rc, &err);
	if (rc == 0 && given)
		check_run(&run);
	check_refusal(sf_control_parse_revert(text, size, &revert, &given, &err), &err);
	check_refusal(sf_control_parse_hold(text, size, &held, &err), &err);
	return 0;
}
