/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Labels of LVs: parsing tags gives the original labels, tags obey LVM's rules, and foreign tags are ignored.
 */
#include "backends/lvm/tags.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

/* The characters according to lvm(8). The length was found by trial: 1024 characters are accepted. */
#define ALLOWED   "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_+.-/=!:#&"
#define TAG_MAX   1024
#define LIST_MAX  (SF_LVM_TAGS_MAX * SF_LVM_TAG)
#define TOKEN     "snapfs.token=0123456789abcdef0123456789abcdef"
#define STATE     "snapfs.state=fedcba9876543210fedcba9876543210"
#define ORIGIN    "snapfs.origin=web"
#define OURS      TOKEN "," STATE "," ORIGIN
#define UUID      "00112233445566778899aabbccddeeff"
#define nitems(a) (sizeof(a) / sizeof((a)[0]))

static unsigned seed;

static struct sf_id random_id(void)
{
	struct sf_id id;

	for (size_t i = 0; i < sizeof(id.bytes); i++)
		id.bytes[i] = (uint8_t)rand_r(&seed);
	return id;
}

/* Up to size - 1 random bytes from 1 to 255. */
static void random_text(char *text, size_t size)
{
	size_t len = rand_r(&seed) % 4 ? (size_t)rand_r(&seed) % size : size - 1;

	for (size_t i = 0; i < len; i++)
		text[i] = (char)(1 + rand_r(&seed) % 255);
	memset(text + len, 0, size - len);
}

static uint64_t random_number(void)
{
	uint64_t n = (uint64_t)rand_r(&seed) << 62 ^ (uint64_t)rand_r(&seed) << 31 ^ (uint64_t)rand_r(&seed);

	return n >> (unsigned)rand_r(&seed) % 64;
}

static struct sf_lvm_tags random_tags(void)
{
	struct sf_lvm_tags tags = {.state_id = random_id()};
	struct sf_object *object = &tags.object;

	object->token = random_id();
	do
		random_text(tags.origin, sizeof(tags.origin));
	while (!*tags.origin);
	random_text(object->vdev, sizeof(object->vdev));
	random_text(object->vm, sizeof(object->vm));
	random_text(object->vm_uuid, sizeof(object->vm_uuid));
	random_text(object->snapshot, sizeof(object->snapshot));
	object->taken_ns = random_number();
	if (rand_r(&seed) % 4) {
		object->ndisks = 1 + (unsigned)rand_r(&seed) % UINT16_MAX;
		object->index = (unsigned)rand_r(&seed) % object->ndisks;
		object->uuid = random_id();
	}
	tags.data_known = rand_r(&seed) % 2;
	if (tags.data_known)
		tags.data_bytes = random_number();
	return tags;
}

/* Joins tags like lvs: with commas, in another order, with foreign tags among them. */
static void join(const struct sf_lvm_tag_list *list, char text[static LIST_MAX])
{
	size_t at = (size_t)rand_r(&seed) % list->n, len = (size_t)snprintf(text, LIST_MAX, "backup,@x");

	for (size_t i = 0; i < list->n; i++)
		len += (size_t)snprintf(text + len, LIST_MAX - len, ",%s", list->text[(at + i) % list->n]);
	assert_true(len < LIST_MAX);
}

static void check_list(const struct sf_lvm_tag_list *list)
{
	assert_in_range(list->n, 3, SF_LVM_TAGS_MAX);
	for (size_t i = 0; i < list->n; i++) {
		assert_int_equal(strspn(list->text[i], ALLOWED), strlen(list->text[i]));
		assert_true(strlen(list->text[i]) < TAG_MAX);
		assert_int_equal(strncmp(list->text[i], "snapfs.", 7), 0);
	}
}

static void check_same(const struct sf_lvm_tags *a, const struct sf_lvm_tags *b)
{
	assert_true(sf_id_equal(&a->state_id, &b->state_id));
	assert_true(sf_id_equal(&a->object.token, &b->object.token));
	assert_true(sf_id_equal(&a->object.uuid, &b->object.uuid));
	assert_string_equal(a->origin, b->origin);
	assert_string_equal(a->object.vdev, b->object.vdev);
	assert_string_equal(a->object.vm, b->object.vm);
	assert_string_equal(a->object.vm_uuid, b->object.vm_uuid);
	assert_string_equal(a->object.snapshot, b->object.snapshot);
	assert_int_equal(a->object.index, b->object.index);
	assert_int_equal(a->object.ndisks, b->object.ndisks);
	assert_true(a->object.taken_ns == b->object.taken_ns);
	assert_int_equal(a->data_known, b->data_known);
	assert_true(a->data_bytes == b->data_bytes);
}

static void check_round_trip(const struct sf_lvm_tags *tags)
{
	struct sf_lvm_tag_list list;
	struct sf_lvm_tags again;
	char text[LIST_MAX];

	memset(&list, 0xa5, sizeof(list));
	memset(&again, 0xa5, sizeof(again));
	sf_lvm_tags_format(tags, &list);
	check_list(&list);
	join(&list, text);
	if (!sf_lvm_tags_parse(text, &again))
		fail_msg("not understood: %s", text);
	check_same(tags, &again);
}

/* --- labels to tags and back --- */

static void random_labels_come_back(void **state)
{
	(void)state;
	for (int i = 0; i < 3000; i++) {
		struct sf_lvm_tags tags = random_tags();

		check_round_trip(&tags);
	}
}

static void every_byte_comes_back(void **state)
{
	struct sf_lvm_tags tags = {.origin = "web", .state_id = random_id(), .object.token = random_id()};

	(void)state;
	for (int first = 1; first < 256; first += SF_NAME_MAX) {
		for (int i = 0; i < SF_NAME_MAX; i++)
			tags.object.snapshot[i] = (char)(first + i < 256 ? first + i : 'x');
		check_round_trip(&tags);
	}
}

static void the_longest_of_everything_fits(void **state)
{
	struct sf_lvm_tags tags = {.state_id = random_id(), .data_known = true, .data_bytes = UINT64_MAX};
	struct sf_object *object = &tags.object;

	(void)state;
	object->token = random_id();
	object->uuid = random_id();
	object->index = UINT16_MAX - 1;
	object->ndisks = UINT16_MAX;
	object->taken_ns = UINT64_MAX;
	memset(tags.origin, 0xff, sizeof(tags.origin) - 1);
	memset(object->vdev, ',', sizeof(object->vdev) - 1);
	memset(object->vm, 0xff, sizeof(object->vm) - 1);
	memset(object->vm_uuid, 1, sizeof(object->vm_uuid) - 1);
	memset(object->snapshot, '#', sizeof(object->snapshot) - 1);
	check_round_trip(&tags);
}

/* Tags are stored on disks, so later versions must read the tags of this version. */
static void the_form_is_the_documented_one(void **state)
{
	static const char *const want[] = {TOKEN,
					   STATE,
					   ORIGIN,
					   "snapfs.snapshot=" UUID "/1/2",
					   "snapfs.taken=1795380703517698036",
					   "snapfs.data=0",
					   "snapfs.vdev=xvdb",
					   "snapfs.vm=w#23#3D#2F#26-x_y+z.0",
					   "snapfs.vmuuid=0-1",
					   "snapfs.name=vor#20gr#C3#B6#C3#9Fe#2C#0A"};
	struct sf_lvm_tags tags = {.origin = "web",
				   .data_known = true,
				   .object = {.vdev = "xvdb",
					      .vm = "w#=/&-x_y+z.0",
					      .vm_uuid = "0-1",
					      .snapshot = "vor größe,\n",
					      .index = 1,
					      .ndisks = 2,
					      .taken_ns = 1795380703517698036}};
	struct sf_lvm_tag_list list;

	(void)state;
	assert_int_equal(sf_id_parse("0123456789abcdef0123456789abcdef", &tags.object.token), 0);
	assert_int_equal(sf_id_parse("fedcba9876543210fedcba9876543210", &tags.state_id), 0);
	assert_int_equal(sf_id_parse(UUID, &tags.object.uuid), 0);
	sf_lvm_tags_format(&tags, &list);
	assert_int_equal(list.n, nitems(want));
	for (size_t i = 0; i < nitems(want); i++)
		assert_string_equal(list.text[i], want[i]);
	check_round_trip(&tags);
}

static void what_is_not_known_has_no_tag(void **state)
{
	struct sf_lvm_tags tags = {.origin = "web", .state_id = random_id(), .object.token = random_id()};
	struct sf_lvm_tag_list list;

	(void)state;
	sf_lvm_tags_format(&tags, &list);
	assert_int_equal(list.n, 3);
	check_round_trip(&tags);
}

/* --- foreign tags --- */

static bool parse(const char *list, struct sf_lvm_tags *ret)
{
	struct sf_lvm_tags before;
	bool ours;

	memset(ret, 0xa5, sizeof(*ret));
	before = *ret;
	ours = sf_lvm_tags_parse(list, ret);
	if (!ours)
		assert_memory_equal(ret, &before, sizeof(before));
	return ours;
}

static void is_ours(const char *list)
{
	struct sf_lvm_tags tags;

	if (!parse(list, &tags))
		fail_msg("not ours: %s", list);
	assert_string_equal(tags.origin, "web");
}

static void is_not_ours(const char *list)
{
	struct sf_lvm_tags tags;

	if (parse(list, &tags))
		fail_msg("ours: %s", list);
}

static void tags_of_others_are_passed_over(void **state)
{
	(void)state;
	is_ours(OURS);
	is_ours("backup," OURS ",snapfs,snapfs.,token=1,snapfs2.token=1,SNAPFS.token=1,a=b=c,xsnapfs.data=x");
	is_ours("," OURS ",,");
	is_ours(OURS ",snapfs.later=anything#at#all"); /* of a later version */
	is_ours(OURS ",snapfs.token,snapfs.data");     /* without a value: not one of ours */
	is_not_ours("");
	is_not_ours(",");
	is_not_ours("backup,web");
}

static void without_token_state_or_origin_nothing_is_ours(void **state)
{
	(void)state;
	is_not_ours(STATE "," ORIGIN);
	is_not_ours(TOKEN "," ORIGIN);
	is_not_ours(TOKEN "," STATE);
	is_not_ours(TOKEN "," STATE ",snapfs.origin=");
	is_not_ours("snapfs.token=00000000000000000000000000000000," STATE "," ORIGIN);
	is_not_ours(TOKEN ",snapfs.state=00000000000000000000000000000000," ORIGIN);
	is_not_ours("snapfs.token=0123456789ABCDEF0123456789ABCDEF," STATE "," ORIGIN);
	is_not_ours("snapfs.token=0123456789abcdef0123456789abcde," STATE "," ORIGIN);
	is_not_ours(TOKEN "0," STATE "," ORIGIN);
	is_not_ours(TOKEN ",snapfs.state=," ORIGIN);
}

static void malformed_numbers_are_refused(void **state)
{
	static const char *const bad[] = {"",   "x", "-1", "+1", "1x", "1.5", "0x10", "18446744073709551616",
					  "1/2"};
	char list[256];

	(void)state;
	for (size_t i = 0; i < nitems(bad); i++) {
		(void)snprintf(list, sizeof(list), OURS ",snapfs.taken=%s", bad[i]);
		is_not_ours(list);
		(void)snprintf(list, sizeof(list), OURS ",snapfs.data=%s", bad[i]);
		is_not_ours(list);
	}
	is_ours(OURS ",snapfs.taken=18446744073709551615,snapfs.data=0");
}

static void malformed_parts_are_refused(void **state)
{
	static const char *const bad[] = {"",
					  UUID,
					  UUID "/",
					  UUID "/0",
					  UUID "/0/",
					  UUID "/0/0",
					  UUID "/1/1",
					  UUID "/0/65536",
					  UUID "/0/1/",
					  UUID "/0/1/2",
					  UUID "//1",
					  UUID "/-1/1",
					  UUID "0/0/1",
					  "0011223344556677889 aabbccddeeff/0/1",
					  "/0/1",
					  UUID "/4294967296/4294967297",
					  UUID "/0/18446744073709551617"};
	char list[256];

	(void)state;
	for (size_t i = 0; i < nitems(bad); i++) {
		(void)snprintf(list, sizeof(list), OURS ",snapfs.snapshot=%s", bad[i]);
		is_not_ours(list);
	}
	is_ours(OURS ",snapfs.snapshot=" UUID "/0/1");
	is_ours(OURS ",snapfs.snapshot=" UUID "/65534/65535");
}

static void malformed_text_is_refused(void **state)
{
	static const char *const bad[] = {"a#",   "a#4",   "a#4g", "a#g4",
					  "a#00", "a##41", "a#4a" /* upper case */};
	char list[2048], longest[SF_NAME_MAX + 2];

	(void)state;
	for (size_t i = 0; i < nitems(bad); i++) {
		(void)snprintf(list, sizeof(list), OURS ",snapfs.name=%s", bad[i]);
		is_not_ours(list);
		(void)snprintf(list, sizeof(list), TOKEN "," STATE ",snapfs.origin=%s", bad[i]);
		is_not_ours(list);
	}
	memset(longest, 'x', sizeof(longest));
	longest[SF_NAME_MAX + 1] = '\0';
	(void)snprintf(list, sizeof(list), OURS ",snapfs.vm=%s", longest);
	is_not_ours(list);
	longest[SF_NAME_MAX] = '\0';
	(void)snprintf(list, sizeof(list), OURS ",snapfs.vm=%s", longest);
	is_ours(list);
	is_not_ours(OURS ",snapfs.vdev=0123456789abcdef");
	is_ours(OURS ",snapfs.vdev=0123456789abcde");
}

/* --- names and selections --- */

static void names_are_made_of_the_token(void **state)
{
	static const char *const want[] = {[SF_LVM_SNAPSHOT] = "snapfs_" UUID,
					   [SF_LVM_COPY] = "snapfs_" UUID "_copy",
					   [SF_LVM_NEW] = "snapfs_" UUID "_new",
					   [SF_LVM_OLD] = "snapfs_" UUID "_old"};
	char name[SF_LVM_NAME];
	struct sf_id token;

	(void)state;
	assert_int_equal(sf_id_parse(UUID, &token), 0);
	for (size_t i = 0; i < nitems(want); i++) {
		sf_lvm_object_name(&token, (enum sf_lvm_role)i, name);
		assert_string_equal(name, want[i]);
	}
}

/*
 * Verified with lvs: it finds just those LVs with these names that have both tags, also if they have others.
 */
static void selections_name_what_they_mean_and_want_both_tags(void **state)
{
	static const char tags[] = " && lv_tags=\"snapfs.token=" UUID "\" && lv_tags=\"" STATE "\"";
	char text[SF_LVM_SELECT], want[SF_LVM_SELECT];
	struct sf_id token, state_id;

	(void)state;
	assert_int_equal(sf_id_parse(UUID, &token), 0);
	assert_int_equal(sf_id_parse("fedcba9876543210fedcba9876543210", &state_id), 0);
	sf_lvm_select(&state_id, &token, text);
	(void)snprintf(want, sizeof(want), "(%s)%s",
		       "lv_name=\"snapfs_" UUID "\" || lv_name=\"snapfs_" UUID
		       "_copy\" || lv_name=\"snapfs_" UUID "_new\"",
		       tags);
	assert_string_equal(text, want);
	sf_lvm_select_role(&state_id, &token, SF_LVM_OLD, text);
	(void)snprintf(want, sizeof(want), "(lv_name=\"snapfs_" UUID "_old\")%s", tags);
	assert_string_equal(text, want);
}

int main(void)
{
	const char *given = getenv("SNAPFS_TEST_SEED");
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(random_labels_come_back),
		cmocka_unit_test(every_byte_comes_back),
		cmocka_unit_test(the_longest_of_everything_fits),
		cmocka_unit_test(the_form_is_the_documented_one),
		cmocka_unit_test(what_is_not_known_has_no_tag),
		cmocka_unit_test(tags_of_others_are_passed_over),
		cmocka_unit_test(without_token_state_or_origin_nothing_is_ours),
		cmocka_unit_test(malformed_numbers_are_refused),
		cmocka_unit_test(malformed_parts_are_refused),
		cmocka_unit_test(malformed_text_is_refused),
		cmocka_unit_test(names_are_made_of_the_token),
		cmocka_unit_test(selections_name_what_they_mean_and_want_both_tags),
	};

	seed = given ? (unsigned)strtoul(given, NULL, 0) : (unsigned)time(NULL);
	printf("# SNAPFS_TEST_SEED=%u\n", seed);
	return cmocka_run_group_tests_name("lvm_tags", tests, NULL, NULL);
}
