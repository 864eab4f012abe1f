/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "revert_plan.h"

#include "base/json.h"
#include "state.h"

#include "base/cleanup.h"
#include "base/durable.h"
#include "base/err.h"

#include <errno.h>
#include <string.h>

#define PLAN_SCHEMA    1
#define PLAN_BYTES_MAX 65536

int sf_plan_write(int vm_dir, const struct sf_plan *plan, struct sf_err *err)
{
	char snapshot[SF_ID_TEXT], safety[SF_ID_TEXT];
	auto_json json_t *root = NULL;
	auto_free char *text = NULL;
	size_t len;

	sf_id_format(&plan->snapshot, snapshot);
	sf_id_format(&plan->safety, safety);
	root = json_pack("{s:i, s:s, s:s, s:o, s:s, s:s, s:b, s:b}", "schema", PLAN_SCHEMA, "phase",
			 sf_life_name(plan->phase), "snapshot", snapshot, "safety",
			 plan->has_safety ? json_string(safety) : json_null(), "guest",
			 sf_power_name(plan->guest), "power", sf_power_name(plan->power), "memory",
			 plan->memory, "back", plan->back);
	if ((plan->resumed && json_object_set_new(root, "resumed", json_true()) < 0) ||
	    (plan->started && json_object_set_new(root, "started", json_true()) < 0))
		return sf_fail(err, -ENOMEM, "out of memory");
	text = sf_json_text(root, &len);
	if (!text)
		return sf_fail(err, -ENOMEM, "out of memory");
	return sf_durable_write(vm_dir, SF_STATE_PLAN, text, len, err);
}

static int parse_power(const json_t *root, const char *key, enum sf_power *ret, struct sf_err *err)
{
	char word[16];
	int rc = sf_json_string(root, key, word, sizeof(word), err);

	if (rc == 0 && sf_power_parse(word, ret) < 0)
		rc = sf_fail(err, -EINVAL, "\"%s\" has the unknown value '%s'", key, word);
	return rc;
}

static int parse_phase(const json_t *root, enum sf_life *ret, struct sf_err *err)
{
	char word[16];
	int rc = sf_json_string(root, "phase", word, sizeof(word), err);

	if (rc < 0)
		return rc;
	for (enum sf_life life = SF_LIFE_PREPARED; life <= SF_LIFE_POWERING; life++) {
		if (strcmp(word, sf_life_name(life)) == 0) {
			*ret = life;
			return 0;
		}
	}
	return sf_fail(err, -EINVAL, "\"phase\" has the unknown value '%s'", word);
}

static int parse(const json_t *root, struct sf_plan *plan, struct sf_err *err)
{
	int rc;

	if ((rc = sf_json_schema(root, PLAN_SCHEMA, err)) < 0 ||
	    (rc = parse_phase(root, &plan->phase, err)) < 0 ||
	    (rc = sf_json_id(root, "snapshot", &plan->snapshot, err)) < 0 ||
	    (rc = parse_power(root, "guest", &plan->guest, err)) < 0 ||
	    (rc = parse_power(root, "power", &plan->power, err)) < 0 ||
	    (rc = sf_json_bool(root, "memory", &plan->memory, err)) < 0 ||
	    (rc = sf_json_bool(root, "back", &plan->back, err)) < 0)
		return rc;
	/* Younger than schema 1. */
	plan->resumed = json_is_true(json_object_get(root, "resumed"));
	plan->started = json_is_true(json_object_get(root, "started"));
	plan->has_safety = !json_is_null(json_object_get(root, "safety"));
	return plan->has_safety ? sf_json_id(root, "safety", &plan->safety, err) : 0;
}

static int load(int vm_dir, json_t **ret, struct sf_err *err)
{
	auto_free char *text = NULL;
	struct sf_err why = {0};
	size_t len;
	int rc = sf_durable_read(vm_dir, SF_STATE_PLAN, PLAN_BYTES_MAX, &text, &len, err);

	if (rc < 0)
		return rc;
	*ret = sf_json_parse_object(text, len, SF_STATE_PLAN, &why);
	return *ret ? 0 : sf_fail(err, why.code, "%s", why.text);
}

int sf_plan_read(int vm_dir, struct sf_plan *ret, struct sf_err *err)
{
	auto_json json_t *root = NULL;
	struct sf_plan plan = {0};
	int rc = load(vm_dir, &root, err);

	if (rc < 0)
		return rc;
	rc = parse(root, &plan, err);
	if (rc < 0)
		return sf_wrap(err, rc, SF_STATE_PLAN);
	*ret = plan;
	return 0;
}

bool sf_plan_is_leased(int vm_dir, bool *ret_newer)
{
	auto_json json_t *root = NULL;
	enum sf_life phase;
	enum sf_power guest;

	if (load(vm_dir, &root, NULL) < 0)
		return false;
	*ret_newer = sf_json_schema(root, PLAN_SCHEMA, NULL) == -EOPNOTSUPP;
	return parse_phase(root, &phase, NULL) == 0 && phase == SF_LIFE_PREPARED &&
	       parse_power(root, "guest", &guest, NULL) == 0 && guest == SF_POWER_RUNNING &&
	       !json_is_true(json_object_get(root, "resumed"));
}

int sf_plan_drop(int vm_dir, struct sf_err *err)
{
	return sf_durable_unlink(vm_dir, SF_STATE_PLAN, err);
}
