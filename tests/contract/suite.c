/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "suite.h"

#include "base/err.h"

#include <assert.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

/* The most cases in one suite. */
#define CASES_MAX 64

void contract_ok(int rc, const struct sf_err *err)
{
	if (rc < 0)
		print_error("# %s: %s\n", sf_errno_name(rc), err->text);
	assert_int_equal(rc, 0);
}

void contract_failed(int rc, const struct sf_err *err, int expected, const char *text)
{
	if (rc != expected || !strstr(err->text, text))
		print_error("# %s: '%s', expected %s with '%s'\n", rc < 0 ? sf_errno_name(rc) : "success",
			    err->text, sf_errno_name(expected), text);
	assert_int_equal(rc, expected);
	assert_int_equal(err->code, expected);
	assert_non_null(strstr(err->text, text));
}

static void say_left_out(const struct contract_run *run, const struct contract_case *left_out)
{
	unsigned missing = left_out->needs & ~run->able;

	for (unsigned bit = 0; missing >> bit; bit++)
		if (missing >> bit & 1)
			print_message("# not run: %s, as %s cannot %s\n", left_out->name, run->name,
				      run->abilities[bit]);
}

int contract_run(const struct contract_run *run)
{
	struct CMUnitTest tests[CASES_MAX];
	size_t n = 0;

	for (size_t i = 0; i < run->nsubjects; i++) {
		const struct contract_case *cases;
		size_t ncases = run->subjects[i](&cases);

		for (size_t k = 0; k < ncases; k++) {
			assert(n < CASES_MAX);
			if (cases[k].needs & ~run->able)
				say_left_out(run, &cases[k]);
			else
				tests[n++] =
					(struct CMUnitTest){cases[k].name, cases[k].run, run->setup,
							    run->teardown, (void *)(uintptr_t)run->driver};
		}
	}
	return _cmocka_run_group_tests(run->name, tests, n, NULL, NULL);
}
