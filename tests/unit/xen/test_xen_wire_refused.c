/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Invalid messages between daemon and Xen helper are refused with an error that names the fault. */
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

static void refuse_request(const char *line, size_t len, const char *why)
{
	struct sf_helper_request request = {.op = SF_HELPER_STOP, .name = "untouched"};
	struct sf_err err = {0};
	int rc = sf_helper_request_parse(line, len, &request, &err);

	if (rc != -EPROTO || err.code != -EPROTO || !strstr(err.text, why))
		fail_msg("'%s': %d, \"%s\"", line, rc, err.text);
	assert_non_null(strstr(err.text, "a line between snapfs and its helper: "));
	assert_int_equal(request.op, SF_HELPER_STOP);
	assert_string_equal(request.name, "untouched");
}

static void refuse_reply(const char *line, size_t len, const char *why)
{
	struct sf_helper_reply reply = {.kind = SF_HELPER_FAILURE, .text = "untouched"};
	struct sf_err err = {0};
	int rc = sf_helper_reply_parse(line, len, &reply, &err);

	if (rc != -EPROTO || err.code != -EPROTO || !strstr(err.text, why))
		fail_msg("'%s': %d, \"%s\"", line, rc, err.text);
	assert_non_null(strstr(err.text, "a line between snapfs and its helper: "));
	assert_int_equal(reply.kind, SF_HELPER_FAILURE);
	assert_string_equal(reply.text, "untouched");
	assert_null(reply.vms);
}

struct refusal {
	const char *line, *why;
};

static void lines_that_are_no_object_are_refused(void **state)
{
	static const struct refusal refusals[] = {
		{"", "is not valid JSON"},
		{"{", "is not valid JSON"},
		{"hello", "is not valid JSON"},
		{"[]", "is not a JSON object"},
		{"\"hello\"", "is not valid JSON"},
		{"{\"op\":\"hello\"} {}", "is not valid JSON"},
		{"{\"op\":\"hello\",\"op\":\"host\",\"ok\":true}", "duplicate object key"},
		{"{\"ok\":true,\"ok\":true}", "duplicate object key"},
		{"{\"op\":\"\xff\",\"ok\":true}", "is not valid JSON"},
		{"{\"op\":\"he\\u0000llo\",\"ok\":true}", "is not valid JSON"},
	};

	(void)state;
	for (size_t i = 0; i < nitems(refusals); i++) {
		refuse_request(refusals[i].line, strlen(refusals[i].line), refusals[i].why);
		refuse_reply(refusals[i].line, strlen(refusals[i].line), refusals[i].why);
	}
	refuse_request("{\"op\":\"hello\"}\0", 15, "is not valid JSON");
	refuse_reply("{\"ok\":true}\0", 12, "is not valid JSON");
}

#define ABOUT "\"name\":\"web\",\"uuid\":\"\""

static void requests_without_what_they_need_are_refused(void **state)
{
	static const struct refusal refusals[] = {
		{"{}", "\"op\" is missing or none of the known ones"},
		{"{\"op\":1}", "\"op\" is missing or none"},
		{"{\"op\":\"\"}", "\"op\" is missing or none"},
		{"{\"op\":\"HELLO\"}", "\"op\" is missing or none"},
		{"{\"op\":\"explode\"}", "\"op\" is missing or none"},
		{"{\"op\":\"power\"}", "\"name\" is missing or not a string"},
		{"{\"op\":\"pause\",\"name\":7,\"uuid\":\"\"}", "\"name\" is missing or not a string"},
		{"{\"op\":\"resume\",\"name\":\"web\"}", "\"uuid\" is missing or not a string"},
		{"{\"op\":\"stop\",\"name\":\"web\",\"uuid\":null}", "\"uuid\" is missing or not a string"},
		{"{\"op\":\"save\"," ABOUT "}", "\"live\" is missing or neither true nor false"},
		{"{\"op\":\"save\"," ABOUT ",\"live\":1}", "\"live\" is missing or neither"},
		{"{\"op\":\"watch\"}", "\"configs\" is missing or not a string"},
		{"{\"op\":\"watch\",\"configs\":[]}", "\"configs\" is missing or not a string"},
		{"{\"op\":\"rename\"," ABOUT "}", "\"to\" is missing or not a string"},
	};

	(void)state;
	for (size_t i = 0; i < nitems(refusals); i++)
		refuse_request(refusals[i].line, strlen(refusals[i].line), refusals[i].why);
}

static void requests_about_what_is_no_name_are_refused(void **state)
{
	static const struct refusal refusals[] = {
		{"{\"op\":\"stop\",\"name\":\"\",\"uuid\":\"\"}", "name"},
		{"{\"op\":\"stop\",\"name\":\".web\",\"uuid\":\"\"}", "starts with '.'"},
		{"{\"op\":\"stop\",\"name\":\"a/b\",\"uuid\":\"\"}", "contains '/'"},
		{"{\"op\":\"stop\",\"name\":\"a\\u0001b\",\"uuid\":\"\"}", "control"},
		{"{\"op\":\"rename\"," ABOUT ",\"to\":\"-x\"}", "starts with '-'"},
		{"{\"op\":\"rename\"," ABOUT ",\"to\":\"\"}", "name"},
	};

	(void)state;
	for (size_t i = 0; i < nitems(refusals); i++)
		refuse_request(refusals[i].line, strlen(refusals[i].line), refusals[i].why);
}

/* head, a member key with a string of len bytes, and tail. The caller frees it. */
static char *with_long(const char *head, const char *key, size_t len, const char *tail)
{
	auto_free char *value = malloc(len + 1);
	char *line = NULL;

	assert_non_null(value);
	memset(value, 'x', len);
	value[len] = '\0';
	assert_true(asprintf(&line, "%s\"%s\":\"%s\"%s}", head, key, value, tail) > 0);
	return line;
}

static void requests_with_something_too_long_are_refused(void **state)
{
	static const struct {
		const char *head, *key, *tail;
		size_t max;
	} members[] = {
		{"{\"op\":\"power\",", "name", ",\"uuid\":\"\"", SF_NAME_MAX},
		{"{\"op\":\"power\",", "uuid", ",\"name\":\"web\"", SF_VM_UUID - 1},
		{"{\"op\":\"rename\",", "to", "," ABOUT, SF_NAME_MAX},
		{"{\"op\":\"watch\",", "configs", "", PATH_MAX - 1},
	};

	(void)state;
	for (size_t i = 0; i < nitems(members); i++) {
		auto_free char *fits =
			with_long(members[i].head, members[i].key, members[i].max, members[i].tail);
		auto_free char *not_so =
			with_long(members[i].head, members[i].key, members[i].max + 1, members[i].tail);
		struct sf_helper_request request;

		assert_int_equal(sf_helper_request_parse(fits, strlen(fits), &request, NULL), 0);
		refuse_request(not_so, strlen(not_so), "is longer than");
	}
}

static void replies_without_what_they_need_are_refused(void **state)
{
	static const struct refusal refusals[] = {
		{"{}", "\"ok\" is missing or neither true nor false"},
		{"{\"ok\":1}", "\"ok\" is missing or neither"},
		{"{\"event\":7}", "\"ok\" is missing or neither"},
		{"{\"event\":\"boom\"}", "an unknown event"},
		{"{\"event\":\"\"}", "an unknown event"},
		{"{\"ok\":true,\"protocol\":\"1\"}", "\"protocol\" is missing or not a non-negative integer"},
		{"{\"ok\":true,\"protocol\":-1}", "\"protocol\" is missing or not a non-negative integer"},
		{"{\"ok\":true,\"protocol\":1.5}", "\"protocol\" is missing or not a non-negative integer"},
		{"{\"ok\":true,\"protocol\":99999999999999999999}", "too big integer"},
		{"{\"ok\":true,\"version\":4.17}", "\"version\" is missing or not a string"},
		{"{\"ok\":true,\"host\":{}}", "\"host\" is missing or not a string"},
		{"{\"ok\":true,\"power\":true}", "\"power\" is missing or not a string"},
		{"{\"ok\":true,\"power\":\"asleep\"}", "\"power\" is no power state"},
		{"{\"ok\":true,\"power\":\"a power state that is too long\"}", "\"power\" is longer than"},
		{"{\"ok\":false}", "\"errno\" is missing or not a non-negative integer"},
		{"{\"ok\":false,\"errno\":0,\"text\":\"\"}", "\"errno\" is not 1-4095"},
		{"{\"ok\":false,\"errno\":-5,\"text\":\"\"}",
		 "\"errno\" is missing or not a non-negative integer"},
		{"{\"ok\":false,\"errno\":4096,\"text\":\"\"}", "\"errno\" is not 1-4095"},
		{"{\"ok\":false,\"errno\":4294967301,\"text\":\"\"}", "\"errno\" is not 1-4095"},
		{"{\"ok\":false,\"errno\":5}", "\"text\" is missing or not a string"},
		{"{\"ok\":false,\"errno\":5,\"text\":5}", "\"text\" is missing or not a string"},
	};

	(void)state;
	for (size_t i = 0; i < nitems(refusals); i++)
		refuse_reply(refusals[i].line, strlen(refusals[i].line), refusals[i].why);
}

static void replies_with_something_too_long_are_refused(void **state)
{
	static const struct {
		const char *head, *key;
		size_t max;
	} members[] = {
		{"{\"ok\":true,", "version", SF_HELPER_VERSION_MAX - 1},
		{"{\"ok\":true,", "host", SF_HOST_MAX - 1},
		{"{\"ok\":false,\"errno\":5,", "text", sizeof(((struct sf_helper_reply *)0)->text) - 1},
		{"{\"event\":\"vms\",\"vms\":[],", "trouble",
		 sizeof(((struct sf_helper_reply *)0)->text) - 1},
	};

	(void)state;
	for (size_t i = 0; i < nitems(members); i++) {
		auto_free char *fits = with_long(members[i].head, members[i].key, members[i].max, "");
		auto_free char *not_so = with_long(members[i].head, members[i].key, members[i].max + 1, "");
		struct sf_helper_reply reply = {0};

		assert_int_equal(sf_helper_reply_parse(fits, strlen(fits), &reply, NULL), 0);
		sf_helper_reply_fini(&reply);
		refuse_reply(not_so, strlen(not_so), "is longer than");
	}
}

static void a_protocol_beyond_all_bounds_is_not_ours(void **state)
{
	const char line[] = "{\"ok\":true,\"protocol\":4294967297}"; /* 2^32 + 1 */
	struct sf_helper_reply reply = {0};

	(void)state;
	assert_int_equal(sf_helper_reply_parse(line, strlen(line), &reply, NULL), 0);
	assert_int_not_equal(reply.protocol, SF_HELPER_PROTOCOL);
}

/* Asserts that {"event":"vms"} with this list is refused. */
static void refuse_vms(const char *vms, const char *why)
{
	char line[1024];

	(void)snprintf(line, sizeof(line), "{\"event\":\"vms\",\"trouble\":\"\",\"vms\":%s}", vms);
	refuse_reply(line, strlen(line), why);
}

#define VM_HEAD        "\"name\":\"web\",\"uuid\":\"\",\"memory\":1"
#define NO_DISKS       "\"disks\":[],\"left_out\":[]"
#define VM(head, tail) "[{" VM_HEAD "," NO_DISKS "},{" head "," tail "}]" /* preceded by a valid VM */

static void lists_of_vms_with_a_bad_one_are_refused(void **state)
{
	static const struct refusal refusals[] = {
		{"7", "\"vms\" is missing or has more than"},
		{"{}", "\"vms\" is missing or has more than"},
		{"[7]", "a VM without a name"},
		{VM("\"uuid\":\"\",\"memory\":1", NO_DISKS), "a VM without a name"},
		{VM("\"name\":{},\"uuid\":\"\",\"memory\":1", NO_DISKS), "a VM without a name"},
		{VM("\"name\":\"x\",\"memory\":1", NO_DISKS), "\"uuid\" is missing"},
		{VM("\"name\":\"x\",\"uuid\":\"" UUID "0\",\"memory\":1", NO_DISKS), "\"uuid\" is longer"},
		{VM("\"name\":\"x\",\"uuid\":\"\"", NO_DISKS), "\"memory\" is missing"},
		{VM("\"name\":\"x\",\"uuid\":\"\",\"memory\":-1", NO_DISKS), "\"memory\" is missing"},
		{VM(VM_HEAD, "\"config\":1," NO_DISKS), "\"config\" is missing"},
		{VM(VM_HEAD, "\"left_out\":[]"), "\"disks\" is missing or has more than 64"},
		{VM(VM_HEAD, "\"disks\":\"\",\"left_out\":[]"), "\"disks\" is missing"},
		{VM(VM_HEAD, "\"disks\":[7],\"left_out\":[]"), "\"vdev\" is missing"},
		{VM(VM_HEAD, "\"disks\":[{\"vdev\":\"a\",\"path\":\"/\"},{\"vdev\":\"a\"}],\"left_out\":[]"),
		 "\"path\" is missing"},
		{VM(VM_HEAD, "\"disks\":[{\"vdev\":\"abcdefghijklmnop\",\"path\":\"/\"}],\"left_out\":[]"),
		 "\"vdev\" is longer than 15"},
		{VM(VM_HEAD, "\"disks\":[]"), "\"left_out\" is missing or has more than 64"},
		{VM(VM_HEAD, "\"disks\":[],\"left_out\":[{\"vdev\":\"a\"}]"), "\"reason\" is missing"},
		{VM(VM_HEAD, "\"disks\":[],\"left_out\":[null]"), "\"vdev\" is missing"},
		{VM(VM_HEAD, "\"disks\":[],\"left_out\":[{\"vdev\":\"a\",\"reason\":\"\",\"writable\":1}]"),
		 "\"writable\" is missing or neither"},
	};

	(void)state;
	for (size_t i = 0; i < nitems(refusals); i++)
		refuse_vms(refusals[i].line, refusals[i].why);
	refuse_reply("{\"event\":\"vms\",\"vms\":[]}", 24, "\"trouble\" is missing");
	refuse_reply("{\"event\":\"vms\",\"trouble\":\"\"}", 28, "\"vms\" is missing");
}

/* A list that contains the same item n times. The caller frees it. */
static char *many(const char *head, const char *item, size_t n, const char *tail)
{
	size_t size = strlen(head) + n * (strlen(item) + 1) + strlen(tail) + 1;
	char *line = malloc(size), *at = line;

	assert_non_null(line);
	at = stpcpy(at, head);
	for (size_t i = 0; i < n; i++) {
		if (i > 0)
			*at++ = ',';
		at = stpcpy(at, item);
	}
	(void)stpcpy(at, tail);
	return line;
}

static void a_vm_has_64_disks_at_most(void **state)
{
	static const struct {
		const char *head, *item, *tail, *why;
	} lists[] = {
		{"{\"event\":\"vms\",\"trouble\":\"\",\"vms\":[{" VM_HEAD ",\"left_out\":[],\"disks\":[",
		 "{\"vdev\":\"xvda\",\"path\":\"/a\"}", "]}]}", "\"disks\" is missing or has more than 64"},
		{"{\"event\":\"vms\",\"trouble\":\"\",\"vms\":[{" VM_HEAD ",\"disks\":[],\"left_out\":[",
		 "{\"vdev\":\"xvda\",\"reason\":\"\"}", "]}]}",
		 "\"left_out\" is missing or has more than 64"},
	};

	(void)state;
	for (size_t i = 0; i < nitems(lists); i++) {
		auto_free char *most = many(lists[i].head, lists[i].item, 64, lists[i].tail);
		auto_free char *more = many(lists[i].head, lists[i].item, 65, lists[i].tail);
		struct sf_helper_reply reply = {0};

		assert_int_equal(sf_helper_reply_parse(most, strlen(most), &reply, NULL), 0);
		assert_int_equal(reply.vms[0].desc.ndisks + reply.vms[0].desc.nleft_out, 64);
		sf_helper_reply_fini(&reply);
		refuse_reply(more, strlen(more), lists[i].why);
	}
}

static void more_vms_than_xen_can_have_are_refused_before_they_take_memory(void **state)
{
	auto_free char *line =
		many("{\"event\":\"vms\",\"trouble\":\"\",\"vms\":[", "{}", SF_HELPER_VMS_MAX + 1, "]}");

	(void)state;
	refuse_reply(line, strlen(line), "\"vms\" is missing or has more than 65536");
}

static void an_error_need_not_be_asked_for(void **state)
{
	struct sf_helper_request request;
	struct sf_helper_reply reply;

	(void)state;
	assert_int_equal(sf_helper_request_parse("{}", 2, &request, NULL), -EPROTO);
	assert_int_equal(sf_helper_reply_parse("{}", 2, &reply, NULL), -EPROTO);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lines_that_are_no_object_are_refused),
		cmocka_unit_test(requests_without_what_they_need_are_refused),
		cmocka_unit_test(requests_about_what_is_no_name_are_refused),
		cmocka_unit_test(requests_with_something_too_long_are_refused),
		cmocka_unit_test(replies_without_what_they_need_are_refused),
		cmocka_unit_test(replies_with_something_too_long_are_refused),
		cmocka_unit_test(a_protocol_beyond_all_bounds_is_not_ours),
		cmocka_unit_test(lists_of_vms_with_a_bad_one_are_refused),
		cmocka_unit_test(a_vm_has_64_disks_at_most),
		cmocka_unit_test(more_vms_than_xen_can_have_are_refused_before_they_take_memory),
		cmocka_unit_test(an_error_need_not_be_asked_for),
	};

	return cmocka_run_group_tests_name("xen_wire_refused", tests, NULL, NULL);
}
