/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Checks that the tables in lifecycle.h and lifecycle.c are equal: reads the comment in the former row by
 * row.
 */
#include "core/state/lifecycle.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static bool parse_life(const char *word, enum sf_life *ret)
{
	for (enum sf_life life = SF_LIFE_ABSENT; life <= SF_LIFE_POWERING; life++) {
		if (strcmp(word, sf_life_name(life)) == 0) {
			*ret = life;
			return true;
		}
	}
	return false;
}

static bool parse_event(const char *word, enum sf_event *ret)
{
	for (enum sf_event event = SF_EVENT_BEGIN; event <= SF_EVENT_UNUSED; event++) {
		if (strcmp(word, sf_event_name(event)) == 0) {
			*ret = event;
			return true;
		}
	}
	return false;
}

/* True if the line is a row. Fails the test if the code has another one. */
static bool check_line(char *line)
{
	char *save, *words[16];
	size_t n = 0;
	enum sf_life state, next;
	enum sf_event event;
	const struct sf_step *step;

	for (char *word = strtok_r(line, " *\t\n", &save); word && n < 16;
	     word = strtok_r(NULL, " *\t\n", &save))
		words[n++] = word;
	if (n < 4 || !parse_life(words[0], &state) || !parse_event(words[1], &event) ||
	    !parse_life(words[2], &next))
		return false;
	step = sf_lifecycle(state, event);
	assert_non_null(step);
	assert_int_equal(step->next, next);
	assert_int_equal(step->nactions, n - 3);
	for (size_t i = 0; i < step->nactions; i++)
		assert_string_equal(sf_action_name(step->actions[i]), words[3 + i]);
	return true;
}

static size_t rows_in_code(void)
{
	size_t n = 0;

	for (enum sf_life life = SF_LIFE_ABSENT; life <= SF_LIFE_POWERING; life++)
		for (enum sf_event event = SF_EVENT_BEGIN; event <= SF_EVENT_UNUSED; event++)
			n += sf_lifecycle(life, event) != NULL;
	return n;
}

static void comment_and_code_agree(void **state)
{
	FILE *header = fopen(SF_SOURCE_ROOT "/fs/core/state/lifecycle.h", "re");
	char line[256];
	size_t n = 0;

	(void)state;
	assert_non_null(header);
	while (fgets(line, sizeof(line), header))
		n += check_line(line);
	(void)fclose(header);
	assert_int_equal(n, rows_in_code());
	assert_true(n >= 16);
}

static void every_undo_resumes_first(void **state)
{
	(void)state;
	assert_int_equal(sf_lifecycle(SF_LIFE_CREATING, SF_EVENT_FAILED)->actions[0], SF_ACT_RESUME);
	assert_int_equal(sf_lifecycle(SF_LIFE_CREATING, SF_EVENT_FOUND)->actions[0], SF_ACT_RESUME);
	assert_int_equal(sf_lifecycle(SF_LIFE_PREPARED, SF_EVENT_FAILED)->actions[0], SF_ACT_RESUME);
	assert_int_equal(sf_lifecycle(SF_LIFE_PREPARED, SF_EVENT_FOUND)->actions[0], SF_ACT_RESUME);
	assert_int_equal(sf_lifecycle(SF_LIFE_STOPPING, SF_EVENT_FAILED)->actions[0], SF_ACT_RESUME);
}

static void what_cannot_happen_has_no_row(void **state)
{
	(void)state;
	assert_null(sf_lifecycle(SF_LIFE_ABSENT, SF_EVENT_DELETE));
	assert_null(sf_lifecycle(SF_LIFE_CREATING, SF_EVENT_DELETE));
	assert_null(sf_lifecycle(SF_LIFE_SWITCHING, SF_EVENT_FAILED));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(comment_and_code_agree),
		cmocka_unit_test(every_undo_resumes_first),
		cmocka_unit_test(what_cannot_happen_has_no_row),
	};

	return cmocka_run_group_tests_name("lifecycle", tests, NULL, NULL);
}
