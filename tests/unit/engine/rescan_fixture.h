/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Fixture for `snapfs --rescan`: loses the engine's state directory, or a part of it. */
#ifndef SF_TESTS_UNIT_RESCAN_FIXTURE_H
#define SF_TESTS_UNIT_RESCAN_FIXTURE_H

#include "engine_fixture.h"

/*
 * Replaces the state directory with an empty one. Its identity is *id, or a new one if id is NULL. Returns
 * the lost identity.
 */
static inline struct sf_id lose_state(struct fixture *f, const struct sf_id *id)
{
	char command[200];
	struct sf_state *state;
	struct sf_id old, now;

	assert_int_equal(sf_state_open(f->state_dir, &state, NULL), 0);
	old = sf_state_id(state);
	sf_state_close(state);
	(void)snprintf(command, sizeof(command), "rm -rf %s", f->state_dir);
	assert_int_equal(system(command), 0);
	assert_int_equal(sf_state_open(f->state_dir, &state, NULL), 0);
	if (id)
		assert_int_equal(sf_state_adopt(state, id, NULL), 0);
	now = sf_state_id(state);
	assert_int_equal(sf_id_equal(&now, &old), id && sf_id_equal(id, &old));
	sf_state_close(state);
	return old;
}

static inline struct sf_id identity(const struct fixture *f)
{
	struct sf_state *state;
	struct sf_id id;

	assert_int_equal(sf_state_open(f->state_dir, &state, NULL), 0);
	id = sf_state_id(state);
	sf_state_close(state);
	return id;
}

/* Loses all records and restarts the engine with --rescan, under the same identity. */
static inline void lose_and_rescan(struct fixture *f)
{
	struct sf_id id;

	fixture_close(f);
	id = identity(f);
	(void)lose_state(f, &id);
	f->config.rescan = true;
	fixture_open(f, "");
}

static inline void rescan(struct fixture *f, const char *faults)
{
	f->config.rescan = true;
	fixture_reopen(f, faults);
}

static inline void health_says(struct fixture *f, const char *part)
{
	char *health = sf_engine_health_json(f->engine);

	fixture_says(health, part);
	free(health);
}

/* Removes a file of the state directory. */
static inline void lose(const struct fixture *f, const char *path)
{
	char command[300];

	(void)snprintf(command, sizeof(command), "rm -r %s/%s", f->state_dir, path);
	assert_int_equal(system(command), 0);
}

#endif
