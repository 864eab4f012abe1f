/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the engine does with the results of watching a storage. The storage is `mem` with a watch slot from
 * the test.
 */
#include "engine_fixture.h"

#include "base/json.h"

#include <poll.h>
#include <pthread.h>
#include <sys/eventfd.h>

#define USAGES 4

/* The result of the storage's next round. The round begins when the test asks for it. */
static struct {
	pthread_mutex_t lock;
	struct sf_usage list[USAGES];
	size_t n;
	int rc;
	unsigned nrounds, first_wait_ms;
	int event_fd;
} world = {.lock = PTHREAD_MUTEX_INITIALIZER, .event_fd = -1};

static int watch(struct sf_storage *storage, int wake_fd, unsigned wait_ms, sf_usage_fn *fn, void *arg,
		 struct sf_err *err)
{
	struct pollfd fds[] = {{.fd = wake_fd, .events = POLLIN}, {.fd = world.event_fd, .events = POLLIN}};
	eventfd_t count;
	int rc;

	(void)storage;
	if (poll(fds, 2, (int)wait_ms) > 0 && fds[1].revents)
		assert_int_equal(eventfd_read(world.event_fd, &count), 0);
	pthread_mutex_lock(&world.lock);
	for (size_t i = 0; i < world.n; i++)
		fn(arg, &world.list[i]);
	if (world.nrounds++ == 0)
		world.first_wait_ms = wait_ms;
	rc = world.rc;
	pthread_mutex_unlock(&world.lock);
	return rc < 0 ? sf_fail(err, rc, "the storage looks away") : 0;
}

static void give_watch(struct sf_storage *mem)
{
	static struct sf_storage_ops ops;

	ops = *mem->ops;
	ops.watch = watch;
	mem->ops = &ops;
}

static int setup(void **state)
{
	struct fixture *f;

	assert_int_equal(fixture_setup(state), 0);
	f = *state;
	world.n = 0;
	world.rc = 0;
	world.event_fd = eventfd(0, EFD_CLOEXEC);
	f->dress = give_watch;
	fixture_reopen(f, "");
	return 0;
}

static int teardown(void **state)
{
	assert_int_equal(fixture_teardown(state), 0);
	close(world.event_fd);
	return 0;
}

/* Sets the result of all rounds from the next one on. */
static void say(const struct sf_usage *list, size_t n, int rc)
{
	pthread_mutex_lock(&world.lock);
	memcpy(world.list, list, n * sizeof(*list));
	world.n = n;
	world.rc = rc;
	pthread_mutex_unlock(&world.lock);
	assert_int_equal(eventfd_write(world.event_fd, 1), 0);
}

/* Waits until the document contains part, or no longer does; fails the test after 20 s. */
static void await(struct fixture *f, char *(*document)(struct sf_engine *), const char *part, bool wanted)
{
	for (int i = 0; i < 2000; i++) {
		char *text = document(f->engine);
		bool said = strstr(text, part) != NULL;

		free(text);
		if (said == wanted)
			return;
		(void)poll(NULL, 0, 10); /* rounds run in their own thread */
	}
	fail_msg("%s '%s'", wanted ? "the document lacks" : "the document still has", part);
}

static void a_problem_stands_until_a_round_is_without_it(void **state)
{
	struct sf_usage usages[] = {
		{.kind = "pool data",
		 .pool = "vg/p",
		 .subject = "vg/p",
		 .total_bytes = 100,
		 .used_bytes = 90},
		{.kind = "pool metadata",
		 .pool = "vg/p",
		 .subject = "vg/p",
		 .total_bytes = 10,
		 .used_bytes = 9},
	};
	struct fixture *f = *state;

	(void)snprintf(usages[0].problem, sizeof(usages[0].problem), "its data is 90%% full");
	(void)snprintf(usages[1].problem, sizeof(usages[1].problem), "its metadata is 90%% full");
	say(usages, 2, 0);
	await(f, sf_engine_health_json, "\"subject\": \"vg/p (pool data)\"", true);
	await(f, sf_engine_health_json, "\"subject\": \"vg/p (pool metadata)\"", true);
	await(f, sf_engine_health_json, "\"kind\": \"space\"", true);
	(void)snprintf(usages[1].problem, sizeof(usages[1].problem), "its metadata is full");
	usages[0].problem[0] = '\0';
	say(usages, 2, 0);
	await(f, sf_engine_health_json, "pool data", false);
	await(f, sf_engine_health_json, "\"its metadata is full\"", true);
	say(usages, 1, 0);
	await(f, sf_engine_health_json, "\"ok\": true", true);
}

static void a_round_that_fails_changes_nothing_but_says_so(void **state)
{
	struct sf_usage usage = {.kind = "pool data", .subject = "vg/p", .total_bytes = 10, .used_bytes = 9};
	struct fixture *f = *state;
	struct sf_usage none;

	(void)snprintf(usage.problem, sizeof(usage.problem), "is full");
	say(&usage, 1, 0);
	await(f, sf_engine_health_json, "is full", true);
	say(&none, 0, -EIO);
	await(f, sf_engine_health_json, "the storage looks away", true);
	await(f, sf_engine_health_json, "\"kind\": \"watch\"", true);
	await(f, sf_engine_health_json, "\"subject\": \"mem\"", true);
	await(f, sf_engine_health_json, "is full", true);
	say(&none, 0, 0);
	await(f, sf_engine_health_json, "\"ok\": true", true);
	fixture_close(f); /* ends at once */
}

static char *vm_json(struct sf_engine *engine)
{
	struct sf_vm_info info;

	assert_int_equal(sf_catalog_vm(sf_engine_catalog(engine), "web", &info), 0);
	return sf_engine_vm_json(engine, info.id);
}

/* Joins the subjects of a disk's usages. */
static void subjects(struct fixture *f, size_t disk, char text[static 100])
{
	char *document = vm_json(f->engine);
	auto_json json_t *root = sf_json_parse_object(document, strlen(document), ".vm.json", NULL);
	const json_t *item,
		*list = json_object_get(json_array_get(json_object_get(root, "disks"), disk), "usage");
	size_t i;

	assert_true(json_is_array(list));
	text[0] = '\0';
	json_array_foreach(list, i, item)
	{
		(void)strcat(text, json_string_value(json_object_get(item, "subject")));
		(void)strcat(text, " ");
		assert_int_equal(json_integer_value(json_object_get(item, "used_bytes")), 3);
		assert_int_equal(json_integer_value(json_object_get(item, "total_bytes")), 4);
	}
	free(document);
}

static void each_disk_shows_what_concerns_it(void **state)
{
	static const struct sf_usage usages[] = {
		{.kind = "pool data",
		 .pool = "mem",
		 .subject = "its-pool",
		 .used_bytes = 3,
		 .total_bytes = 4},
		{.kind = "pool data",
		 .pool = "other",
		 .subject = "a-pool",
		 .used_bytes = 3,
		 .total_bytes = 4},
		{.kind = "COW store",
		 .pool = "mem",
		 .subject = "of-vdb",
		 .origin = "mem:web/vdb",
		 .used_bytes = 3,
		 .total_bytes = 4},
		{.kind = "COW store",
		 .pool = "mem",
		 .subject = "of-db",
		 .origin = "mem:db/vda",
		 .used_bytes = 3,
		 .total_bytes = 4,
		 .problem = "is ours"},
	};
	struct fixture *f = *state;
	char text[100];

	say(usages, 4, 0);
	await(f, vm_json, "of-vdb", true);
	subjects(f, 0, text);
	assert_string_equal(text, "its-pool ");
	subjects(f, 1, text);
	assert_string_equal(text, "its-pool of-vdb ");
	await(f, vm_json, "is ours", false);
}

static void metrics_have_two_gauges_for_each(void **state)
{
	static const struct sf_usage odd = {.kind = "COW store", .subject = "a\\b\nc\xff\xc3"};
	static const struct sf_usage usage = {
		.kind = "COW store", .subject = "vg/a\"b", .used_bytes = 3, .total_bytes = 1ULL << 40};
	struct fixture *f = *state;

	say(&usage, 1, 0);
	await(f, sf_engine_metrics, "\nsnapfs_usage_bytes{kind=\"COW store\",subject=\"vg/a\\\"b\"} 3\n",
	      true);
	await(f, sf_engine_metrics,
	      "\nsnapfs_usage_total_bytes{kind=\"COW store\",subject=\"vg/a\\\"b\"} 1099511627776\n", true);
	await(f, sf_engine_metrics, "# TYPE snapfs_usage_bytes gauge\n", true);
	say(&odd, 1, 0);
	await(f, sf_engine_metrics, "\nsnapfs_usage_bytes{kind=\"COW store\",subject=\"a\\\\b\\nc??\"} 0\n",
	      true);
	say(&usage, 0, 0);
	await(f, sf_engine_metrics, "vg/a", false);
}

static void the_first_round_does_not_wait(void **state)
{
	struct fixture *f = *state;
	struct sf_usage usage = {.kind = "pool data", .subject = "early", .total_bytes = 1};
	unsigned waited_ms;

	fixture_close(f);
	world.list[0] = usage;
	world.n = 1;
	world.nrounds = 0;
	fixture_open(f, "");
	await(f, sf_engine_metrics, "early", true);
	pthread_mutex_lock(&world.lock);
	waited_ms = world.first_wait_ms;
	pthread_mutex_unlock(&world.lock);
	assert_int_equal(waited_ms, 0);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(a_problem_stands_until_a_round_is_without_it),
		CASE(a_round_that_fails_changes_nothing_but_says_so),
		CASE(each_disk_shows_what_concerns_it),
		CASE(metrics_have_two_gauges_for_each),
		CASE(the_first_round_does_not_wait),
	};

	return cmocka_run_group_tests_name("watch", tests, NULL, NULL);
}
