/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "core/state/catalog.h"

#include <errno.h>
#include <malloc.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define VM 0x700

static int setup(void **state)
{
	struct sf_catalog *catalog;

	assert_int_equal(sf_catalog_new(&catalog), 0);
	assert_int_equal(sf_catalog_vm_put(catalog, VM, "web", true), 0);
	*state = catalog;
	return 0;
}

static int teardown(void **state)
{
	sf_catalog_free(*state);
	return 0;
}

static struct sf_snapshot *make(uint8_t number, const char *name)
{
	struct sf_record record = {.state = SF_RECORD_READY, .taken_ns = number, .edited_ns = number};
	struct sf_snapshot *snapshot;

	memset(record.uuid.bytes, number, sizeof(record.uuid.bytes));
	(void)snprintf(record.name, sizeof(record.name), "%s", name);
	(void)snprintf(record.vm_name, sizeof(record.vm_name), "web");
	snapshot = sf_snapshot_new(&record, VM, false);
	assert_non_null(snapshot);
	return snapshot;
}

static uint64_t publish(struct sf_catalog *catalog, uint8_t number, const char *name)
{
	struct sf_snapshot *snapshot = make(number, name);
	uint64_t id = snapshot->id;

	assert_int_equal(sf_catalog_publish(catalog, snapshot), 0);
	sf_snapshot_unref(snapshot);
	return id;
}

static void ids_leave_room_for_the_files(void **state)
{
	struct sf_id zero = {.bytes = {0}};

	(void)state;
	assert_int_equal(sf_snapshot_id(&zero), SF_ID_SLOTS);
	assert_int_equal(sf_vm_id("", "web") % SF_ID_SLOTS, 0);
	assert_int_equal(sf_vm_id("", "web"), sf_vm_id("", "web"));
	assert_int_not_equal(sf_vm_id("", "web"), sf_vm_id("web", ""));
	assert_int_not_equal(sf_vm_id("", "web"), sf_vm_id("", "db"));
}

static void listings_are_sorted_by_name(void **state)
{
	static const char *const names[] = {"m", "b", "z", "a", "k"};
	struct sf_snapshot **list;
	size_t n;

	for (uint8_t i = 0; i < 5; i++)
		publish(*state, (uint8_t)(200 - 7 * i), names[i]);
	assert_int_equal(sf_catalog_snapshots(*state, VM, &list, &n), 0);
	assert_int_equal(n, 5);
	for (size_t i = 1; i < n; i++)
		assert_true(strcmp(list[i - 1]->record.name, list[i]->record.name) < 0);
	sf_catalog_snapshots_free(list, n);
}

static void a_name_or_an_id_belongs_to_one(void **state)
{
	struct sf_snapshot *namesake = make(2, "a"), *twin = make(1, "b");

	publish(*state, 1, "a");
	assert_int_equal(sf_catalog_publish(*state, namesake), -EEXIST);
	twin->record.uuid.bytes[15] ^= 1; /* same id, another uuid */
	assert_int_equal(sf_catalog_publish(*state, twin), -EEXIST);
	sf_snapshot_unref(namesake);
	sf_snapshot_unref(twin);
}

static void an_edit_replaces_and_old_references_stay_good(void **state)
{
	uint64_t id = publish(*state, 1, "a");
	struct sf_snapshot *before, *after;

	assert_int_equal(sf_catalog_snapshot(*state, VM, "a", &before), 0);
	publish(*state, 1, "renamed");
	assert_int_equal(sf_catalog_snapshot(*state, VM, "a", &after), -ENOENT);
	assert_int_equal(sf_catalog_snapshot_by_id(*state, id, &after), 0);
	assert_string_equal(before->record.name, "a");
	assert_string_equal(after->record.name, "renamed");
	sf_snapshot_unref(before);
	sf_snapshot_unref(after);
}

static void the_last_reader_of_a_hidden_snapshot_is_told(void **state)
{
	uint64_t id = publish(*state, 1, "a");
	struct sf_snapshot *snapshot;

	assert_int_equal(sf_catalog_open(*state, id), 0);
	assert_int_equal(sf_catalog_open(*state, id), 0);
	assert_false(sf_catalog_close(*state, id));
	assert_false(sf_catalog_hide(*state, id));
	assert_int_equal(sf_catalog_snapshot(*state, VM, "a", &snapshot), -ENOENT);
	assert_int_equal(sf_catalog_open(*state, id), 0); /* through a descriptor of its directory */
	assert_false(sf_catalog_close(*state, id));
	assert_true(sf_catalog_close(*state, id));
	assert_int_equal(sf_catalog_open(*state, id), -ENOENT);
	publish(*state, 9, "a"); /* the name is free meanwhile */
	sf_catalog_forget(*state, id);
	assert_int_equal(sf_catalog_snapshot_by_id(*state, id, &snapshot), -ENOENT);
}

static void hiding_an_unread_snapshot_bars_readers(void **state)
{
	uint64_t id = publish(*state, 1, "a");

	assert_true(sf_catalog_hide(*state, id));
	assert_int_equal(sf_catalog_open(*state, id), -ENOENT);
}

static void a_gone_vm_is_shown_while_it_has_snapshots(void **state)
{
	uint64_t id = publish(*state, 1, "a");
	struct sf_vm_info info, *list;
	size_t n;

	assert_int_equal(sf_catalog_vm_put(*state, VM, "web", false), 0);
	assert_int_equal(sf_catalog_vm(*state, "web", &info), 0);
	assert_false(info.present);
	assert_true(sf_catalog_hide(*state, id));
	assert_int_equal(sf_catalog_vm(*state, "web", &info), -ENOENT);
	assert_int_equal(sf_catalog_vms(*state, &list, &n), 0);
	assert_int_equal(n, 0);
	free(list);
}

static void *read_all(void *arg)
{
	for (int i = 0; i < 2000; i++) {
		struct sf_snapshot *snapshot, **list;
		size_t n;

		if (sf_catalog_snapshot(arg, VM, "a", &snapshot) == 0) {
			assert_true(snapshot->meta_len > 0);
			sf_snapshot_unref(snapshot);
		}
		assert_int_equal(sf_catalog_snapshots(arg, VM, &list, &n), 0);
		sf_catalog_snapshots_free(list, n);
	}
	return NULL;
}

static void readers_and_an_editor_do_not_disturb_each_other(void **state)
{
	pthread_t readers[3];

	for (int i = 0; i < 3; i++)
		assert_int_equal(pthread_create(&readers[i], NULL, read_all, *state), 0);
	for (int i = 0; i < 2000; i++) {
		uint64_t id = publish(*state, 1, i % 2 ? "a" : "b");

		if (i % 3 == 0 && sf_catalog_hide(*state, id))
			sf_catalog_forget(*state, id);
	}
	for (int i = 0; i < 3; i++)
		pthread_join(readers[i], NULL);
}

/* Makes a snapshot as loaded at a start. */
static struct sf_snapshot *load(unsigned number)
{
	struct sf_record record;
	struct sf_snapshot *snapshot;
	char text[2048];

	(void)snprintf(
		text, sizeof(text),
		"{\"schema\": 1, \"uuid\": \"%08x2233445566778899aabbccdd\", \"name\": "
		"\"before-the-upgrade-%u\", \"state\": \"ready\", \"vm\": {\"name\": \"web\", \"uuid\": "
		"\"6fd0f9a2-0000-4000-8000-00000000000a\"}, \"taken\": "
		"\"2026-11-22T16:39:00.123456789Z\", \"edited\": \"2026-11-22T16:39:00.123456789Z\", "
		"\"consistency\": \"memory\", \"power\": \"running\", \"held\": false, "
		"\"description\": \"taken by the weekly job\", \"disks\": [{\"vdev\": \"vda\", \"file\": "
		"\"disk.img\", \"storage\": \"file\", \"method\": \"reflink\", \"origin\": "
		"\"/var/lib/machines/images/of-the-web-servers/web.img\", \"token\": "
		"\"%08xbbaa99887766554433221100\", \"size_bytes\": 10737418240, \"allocated_bytes\": "
		"4294967296}], \"memory\": {\"file\": \"memory.sav\", \"size_bytes\": 1073741824, "
		"\"xxh3_128\": \"0102030405060708090a0b0c0d0e0f10\", \"host\": \"xen 4.17 cpu "
		"178bfbff:fffa3203:2fd3fbff:000035f7\"}}",
		number, number, number);
	assert_int_equal(sf_record_parse(text, strlen(text), &record, NULL), 0);
	snapshot = sf_snapshot_new(&record, VM, false);
	assert_non_null(snapshot);
	return snapshot;
}

/* Measures many together, so that the catalog's own memory for them counts as well. */
static void a_snapshot_takes_less_than_2_kib(void **state)
{
	static const unsigned n = 1000;
	size_t before = mallinfo2().uordblks, after;

	if (before == 0) {
		print_message("# skipped: this allocator does not tell what is in use\n");
		return;
	}
	for (unsigned i = 0; i < n; i++) {
		struct sf_snapshot *snapshot = load(i);

		assert_int_equal(sf_catalog_publish(*state, snapshot), 0);
		sf_snapshot_unref(snapshot);
	}
	after = mallinfo2().uordblks;
	print_message("# a snapshot takes %zu bytes\n", (after - before) / n);
	assert_in_range((after - before) / n, 1, 2047);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(ids_leave_room_for_the_files),
		CASE(listings_are_sorted_by_name),
		CASE(a_name_or_an_id_belongs_to_one),
		CASE(an_edit_replaces_and_old_references_stay_good),
		CASE(the_last_reader_of_a_hidden_snapshot_is_told),
		CASE(hiding_an_unread_snapshot_bars_readers),
		CASE(a_gone_vm_is_shown_while_it_has_snapshots),
		CASE(readers_and_an_editor_do_not_disturb_each_other),
		CASE(a_snapshot_takes_less_than_2_kib),
	};

	return cmocka_run_group_tests_name("catalog", tests, NULL, NULL);
}
