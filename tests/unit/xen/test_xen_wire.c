/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Messages between daemon and Xen helper: parsing what was formatted gives the original. */
#include "backends/common/helper/wire.h"

#include "base/cleanup.h"
#include "base/err.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define nitems(a) (sizeof(a) / sizeof((a)[0]))
#define UUID      "8e6e0f1c-52c9-4d1f-a2a1-b7a1c1d4e0aa"

/* --- requests and answers --- */

static char *line_of_request(const struct sf_helper_request *request, size_t *len)
{
	char *line = sf_helper_request_format(request, len);

	assert_non_null(line);
	assert_int_equal(strlen(line), *len);
	assert_ptr_equal(strchr(line, '\n'), line + *len - 1);
	return line;
}

static char *line_of_reply(const struct sf_helper_reply *reply, size_t *len)
{
	char *line = sf_helper_reply_format(reply, len);

	assert_non_null(line);
	assert_int_equal(strlen(line), *len);
	assert_ptr_equal(strchr(line, '\n'), line + *len - 1);
	return line;
}

static struct sf_helper_request request_there_and_back(const struct sf_helper_request *request)
{
	struct sf_helper_request ret;
	struct sf_err err = {0};
	size_t len;
	auto_free char *line = line_of_request(request, &len);

	memset(&ret, 0x55, sizeof(ret));
	if (sf_helper_request_parse(line, len - 1, &ret, &err) < 0)
		fail_msg("%s: %s", line, err.text);
	return ret;
}

static struct sf_helper_reply reply_there_and_back(const struct sf_helper_reply *reply)
{
	struct sf_helper_reply ret;
	struct sf_err err = {0};
	size_t len;
	auto_free char *line = line_of_reply(reply, &len);

	memset(&ret, 0x55, sizeof(ret));
	if (sf_helper_reply_parse(line, len - 1, &ret, &err) < 0)
		fail_msg("%s: %s", line, err.text);
	return ret;
}

static void every_request_comes_out_as_it_went_in(void **state)
{
	static const struct sf_helper_request requests[] = {
		{.op = SF_HELPER_HELLO},
		{.op = SF_HELPER_HOST},
		{.op = SF_HELPER_WATCH, .configs = "/etc/xen \"quoted\"\\ größe"},
		{.op = SF_HELPER_WATCH},
		{.op = SF_HELPER_POWER, .name = "web"},
		{.op = SF_HELPER_PAUSE, .name = "größe 2", .uuid = UUID},
		{.op = SF_HELPER_SAVE, .name = "web", .live = true},
		{.op = SF_HELPER_SAVE, .name = "web", .live = false},
		{.op = SF_HELPER_ABORT},
		{.op = SF_HELPER_RESUME, .name = "web", .uuid = UUID},
		{.op = SF_HELPER_STOP, .name = "a"},
		{.op = SF_HELPER_RENAME, .name = "web", .to = "web2"},
		{.op = SF_HELPER_DISK, .name = "web", .disk = {"xvda", "/data/größe \"2\".img"}},
	};

	(void)state;
	for (size_t i = 0; i < nitems(requests); i++) {
		const struct sf_helper_request *request = &requests[i];
		struct sf_helper_request got = request_there_and_back(request);

		assert_int_equal(got.op, request->op);
		assert_string_equal(got.name, request->name);
		assert_string_equal(got.uuid, request->uuid);
		assert_string_equal(got.to, request->to);
		assert_string_equal(got.configs, request->configs);
		assert_int_equal(got.live, request->live);
		assert_string_equal(got.disk.vdev, request->disk.vdev);
		assert_string_equal(got.disk.spec, request->disk.spec);
	}
}

static void every_short_reply_comes_out_as_it_went_in(void **state)
{
	static const struct sf_helper_reply replies[] = {
		{.kind = SF_HELPER_REPLY},
		{.kind = SF_HELPER_REPLY, .protocol = 2, .version = "4.17.5"},
		{.kind = SF_HELPER_REPLY, .host = "xen 4.17 cpu 1f8bfbff"},
		{.kind = SF_HELPER_REPLY, .power = SF_POWER_OFF},
		{.kind = SF_HELPER_REPLY, .power = SF_POWER_RUNNING},
		{.kind = SF_HELPER_REPLY, .power = SF_POWER_PAUSED},
		{.kind = SF_HELPER_FAILURE,
		 .error = -EAGAIN,
		 .text = "guest \"größe\": it\tdoes not\nsuspend"},
		{.kind = SF_HELPER_EVENT_PAUSED},
	};

	(void)state;
	for (size_t i = 0; i < nitems(replies); i++) {
		struct sf_helper_reply got = reply_there_and_back(&replies[i]);

		assert_int_equal(got.kind, replies[i].kind);
		assert_int_equal(got.error, replies[i].error);
		assert_string_equal(got.text, replies[i].text);
		assert_int_equal(got.protocol, replies[i].protocol);
		assert_string_equal(got.version, replies[i].version);
		assert_string_equal(got.host, replies[i].host);
		assert_int_equal(got.power, replies[i].power);
		assert_null(got.vms);
		assert_int_equal(got.nvms, 0);
	}
}

static void every_op_has_a_name(void **state)
{
	(void)state;
	assert_string_equal(sf_helper_op_name(SF_HELPER_HELLO), "hello");
	assert_string_equal(sf_helper_op_name(SF_HELPER_RENAME), "rename");
}

/* --- VMs --- */

static void a_list_of_vms_comes_out_as_it_went_in(void **state)
{
	struct sf_disk disks[] = {{"xvda", "/dev/vg0/web \"x\""}, {"xvdb", "/größe.img"}};
	struct sf_left_out left_out[] = {{"hdc", "CD-ROM", false}, {"", "odd: \"?\"", true}};
	struct sf_helper_vm vms[] = {
		{.desc = {.name = "web",
			  .uuid = UUID,
			  .memory_bytes = 1ULL << 40,
			  .disks = disks,
			  .ndisks = 2,
			  .left_out = left_out,
			  .nleft_out = 2},
		 .config = "/etc/xen/auto/web"},
		{.desc = {.name = "größe 2"}},
	};
	const struct sf_helper_reply reply = {
		.kind = SF_HELPER_EVENT_VMS, .text = "x.cfg: syntax", .vms = vms, .nvms = 2};
	struct sf_helper_reply got = reply_there_and_back(&reply);
	const struct sf_vm_desc *web = &got.vms[0].desc;

	(void)state;
	assert_int_equal(got.kind, SF_HELPER_EVENT_VMS);
	assert_string_equal(got.text, "x.cfg: syntax");
	assert_int_equal(got.nvms, 2);
	assert_string_equal(web->name, "web");
	assert_string_equal(web->uuid, UUID);
	assert_int_equal(web->memory_bytes, 1ULL << 40);
	assert_int_equal(web->ndisks, 2);
	assert_string_equal(web->disks[0].vdev, "xvda");
	assert_string_equal(web->disks[0].spec, disks[0].spec);
	assert_string_equal(web->disks[1].spec, disks[1].spec);
	assert_int_equal(web->nleft_out, 2);
	assert_string_equal(web->left_out[0].vdev, "hdc");
	assert_string_equal(web->left_out[1].reason, left_out[1].reason);
	assert_false(web->left_out[0].writable);
	assert_true(web->left_out[1].writable);
	assert_string_equal(got.vms[0].config, "/etc/xen/auto/web");
	assert_string_equal(got.vms[1].desc.name, "größe 2");
	assert_string_equal(got.vms[1].desc.uuid, "");
	assert_string_equal(got.vms[1].config, "");
	sf_helper_reply_fini(&got);
	assert_null(got.vms);
	assert_int_equal(got.nvms, 0);
}

static void no_vms_are_a_list_too(void **state)
{
	const struct sf_helper_reply reply = {.kind = SF_HELPER_EVENT_VMS};
	struct sf_helper_reply got = reply_there_and_back(&reply);

	(void)state;
	assert_int_equal(got.kind, SF_HELPER_EVENT_VMS);
	assert_int_equal(got.nvms, 0);
	sf_helper_reply_fini(&got);
}

/* Sends a VM with this name, which may fill the whole array, and returns the name that arrives. */
static void send_name(const char *name, size_t len, char got_name[static SF_NAME_MAX + 1])
{
	struct sf_helper_vm vm = {0};
	const struct sf_helper_reply reply = {.kind = SF_HELPER_EVENT_VMS, .vms = &vm, .nvms = 1};
	struct sf_helper_reply got;

	memcpy(vm.desc.name, name, len < sizeof(vm.desc.name) ? len : sizeof(vm.desc.name));
	got = reply_there_and_back(&reply);
	assert_int_equal(got.nvms, 1);
	memcpy(got_name, got.vms[0].desc.name, SF_NAME_MAX + 1);
	sf_helper_reply_fini(&got);
}

static void a_name_that_is_no_text_arrives_as_one_that_is_refused(void **state)
{
	char got[SF_NAME_MAX + 1];

	(void)state;
	send_name("gr\xf6\xdf"
		  "e",
		  5, got);
	assert_string_equal(got, "gr\x01\x01"
				 "e");
	assert_int_equal(sf_name_check(got, NULL), -EINVAL);
	send_name("", 0, got);
	assert_string_equal(got, "");
}

static void a_name_that_is_too_long_fills_its_place(void **state)
{
	char name[SF_NAME_MAX + 1], got[SF_NAME_MAX + 1];

	(void)state;
	memset(name, 'x', sizeof(name));
	send_name(name, sizeof(name), got);
	assert_memory_equal(got, name, sizeof(name));
	send_name(name, SF_NAME_MAX, got);
	assert_int_equal(strlen(got), SF_NAME_MAX);
	assert_int_equal(sf_name_check(got, NULL), 0);
	name[SF_NAME_MAX] = '\xc3'; /* truncated in the middle of a character */
	send_name(name, sizeof(name), got);
	assert_null(memchr(got, '\0', sizeof(got)));
	assert_int_equal(got[SF_NAME_MAX], '\x01');
}

static void a_path_that_is_no_text_loses_those_bytes(void **state)
{
	struct sf_disk disk = {"xvda", "/dev/\xff/x"};
	struct sf_left_out left_out = {"\xff", "\xfe", false};
	struct sf_helper_vm vm = {
		.desc = {.name = "web", .disks = &disk, .ndisks = 1, .left_out = &left_out, .nleft_out = 1},
		.config = "/etc/xen/\xff.cfg"};
	const struct sf_helper_reply reply = {
		.kind = SF_HELPER_EVENT_VMS, .text = "\xff: odd", .vms = &vm, .nvms = 1};
	struct sf_helper_reply got = reply_there_and_back(&reply);

	(void)state;
	assert_string_equal(got.text, "?: odd");
	assert_string_equal(got.vms[0].config, "/etc/xen/?.cfg");
	assert_string_equal(got.vms[0].desc.disks[0].spec, "/dev/?/x");
	assert_string_equal(got.vms[0].desc.left_out[0].vdev, "?");
	assert_string_equal(got.vms[0].desc.left_out[0].reason, "?");
	sf_helper_reply_fini(&got);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_request_comes_out_as_it_went_in),
		cmocka_unit_test(every_short_reply_comes_out_as_it_went_in),
		cmocka_unit_test(every_op_has_a_name),
		cmocka_unit_test(a_list_of_vms_comes_out_as_it_went_in),
		cmocka_unit_test(no_vms_are_a_list_too),
		cmocka_unit_test(a_name_that_is_no_text_arrives_as_one_that_is_refused),
		cmocka_unit_test(a_name_that_is_too_long_fills_its_place),
		cmocka_unit_test(a_path_that_is_no_text_loses_those_bytes),
	};

	return cmocka_run_group_tests_name("xen_wire", tests, NULL, NULL);
}
