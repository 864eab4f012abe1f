/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "xl.h"

#include "backends/common/helper/list.h"
#include "backends/common/helper/question.h"
#include "base/cleanup.h"
#include "base/err.h"
#include "base/names.h"
#include "base/proc.h"
#include "internal.h"
#include "saved_file.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* xl prints little; more than this is an endless loop of messages. */
#define OUTPUT_MAX (1024 * 1024)

static int complain(const char *verb, int status, int output, struct sf_err *err)
{
	auto_free char *text = NULL;
	char message[512] = "";
	size_t len;

	if (sf_proc_read(output, OUTPUT_MAX, &text, &len, NULL) == 0)
		sf_proc_message(text, message, sizeof(message));
	return sf_fail(err, -EIO, "xl %s failed (status %d)%s%s", verb, status, *message ? ": " : "",
		       message);
}

static int run_xl(struct sf_xen *xen, const char *const *argv, struct sf_err *err)
{
	const char *const environment[] = {NULL};
	auto_fd int output = sf_proc_memfd("xl", err);
	struct sf_proc proc = {0};
	int status = 0, rc;

	if (output < 0)
		return output;
	rc = sf_proc_start(
		&(struct sf_proc_spec){
			.argv = argv, .extra_env = environment, .stdout_fd = output, .stderr_fd = output},
		&proc, err);
	if (rc < 0)
		return rc;
	rc = sf_proc_wait(&proc, xen->deadline_ms, &status, err);
	if (rc < 0) {
		sf_proc_drop(&proc);
		return sf_wrap(err, rc, "xl %s is still running", argv[1]);
	}
	return status == 0 ? 0 : complain(argv[1], status, output, err);
}

static int check_off(struct sf_xen *xen, const struct sf_vm_desc *vm, struct sf_err *err)
{
	const struct sf_helper_request request = sf_helper_about(SF_HELPER_POWER, vm);
	struct sf_helper_reply reply = {0};
	int rc = sf_helper_question(&xen->helpers, &request, &reply, err);

	if (rc == 0 && reply.power != SF_POWER_OFF)
		rc = sf_fail(err, -EINVAL, "domain '%s' is not off", vm->name);
	sf_helper_reply_fini(&reply);
	return rc;
}

/* xl restores a domain under the name it had when it was saved. It must not keep that name. */
static int rename_back(struct sf_xen *xen, const char *saved, const struct sf_vm_desc *vm, struct sf_err *err)
{
	struct sf_helper_request request = sf_helper_about(SF_HELPER_RENAME, vm);
	int rc;

	if (strcmp(saved, vm->name) == 0)
		return 0;
	memcpy(request.to, request.name, sizeof(request.to));
	memcpy(request.name, saved, sizeof(request.name));
	rc = sf_helper_question(&xen->helpers, &request, NULL, err);
	request.op = SF_HELPER_STOP;
	if (rc < 0)
		(void)sf_helper_question(&xen->helpers, &request, NULL,
					 NULL); /* the first failure is reported */
	return rc;
}

/* xl opens the file through our descriptor in /proc. */
int sf_xen_restore(struct sf_hypervisor *hv, const struct sf_vm_desc *vm, int fd, struct sf_err *err)
{
	struct sf_xen *xen = sf_xen_of(hv);
	char path[64], saved[SF_NAME_MAX + 1];
	const char *const argv[] = {xen->xl, "restore", "-p", path, NULL};
	int rc = check_off(xen, vm, err);

	if (rc < 0)
		return rc;
	(void)snprintf(path, sizeof(path), "/proc/%d/fd/%d", (int)getpid(), fd);
	rc = sf_xl_saved_name(fd, saved, err);
	if (rc == 0)
		rc = run_xl(xen, argv, err);
	if (rc == 0)
		rc = rename_back(xen, saved, vm, err);
	return rc < 0 ? sf_wrap(err, rc, "restore the RAM of domain '%s'", vm->name) : 0;
}

/* path: the xl.cfg file of the VM. */
static int find_config(struct sf_xen *xen, const char *name, char path[static PATH_MAX], struct sf_err *err)
{
	if (sf_helper_config_of(&xen->helpers, name, path))
		return 0;
	return sf_fail(err, -ENOENT, "no xl.cfg file in %s names VM '%s', so it cannot be booted",
		       xen->helpers.watch.configs, name);
}

int sf_xen_can_start(struct sf_hypervisor *hv, const struct sf_vm_desc *vm, struct sf_err *err)
{
	char config[PATH_MAX];

	return find_config(sf_xen_of(hv), vm->name, config, err);
}

int sf_xen_check_disk(struct sf_hypervisor *hv, const struct sf_vm_desc *vm, const struct sf_disk *disk,
		      struct sf_err *err)
{
	struct sf_helper_request request = sf_helper_about(SF_HELPER_DISK, vm);

	request.disk = *disk;
	return sf_helper_question(sf_helpers_of(hv), &request, NULL, err);
}

int sf_xen_start(struct sf_hypervisor *hv, const struct sf_vm_desc *vm, bool paused, struct sf_err *err)
{
	struct sf_xen *xen = sf_xen_of(hv);
	char config[PATH_MAX];
	const char *argv[] = {xen->xl, "create", config, paused ? "-p" : NULL, NULL};
	int rc = check_off(xen, vm, err);

	if (rc == 0)
		rc = find_config(xen, vm->name, config, err);
	return rc < 0 ? rc : run_xl(xen, argv, err);
}
