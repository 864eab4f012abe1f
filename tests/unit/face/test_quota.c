/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "face/quota.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define MIB (1ULL << 20)

static int take(struct sf_quota *quota, uid_t uid, uint64_t n)
{
	int rc = 0;

	while (rc == 0 && n-- > 0)
		rc = sf_quota_take(quota, uid, SF_QUOTA_OPEN, 1);
	return rc;
}

static void one_user_leaves_half_to_the_others(void **state)
{
	struct sf_quota quota;

	(void)state;
	sf_quota_init(&quota, 1024);
	assert_int_equal(take(&quota, 7, 128), 0);
	assert_int_equal(take(&quota, 7, 1), -EMFILE);
	assert_int_equal(take(&quota, 8, 128), 0);
	assert_int_equal(take(&quota, 9, 1), -ENFILE);
	sf_quota_give(&quota, 7, SF_QUOTA_OPEN, 1);
	assert_int_equal(take(&quota, 9, 1), 0);
	assert_int_equal(take(&quota, 7, 1), -ENFILE);
	sf_quota_fini(&quota);
}

static void root_is_not_bound(void **state)
{
	struct sf_quota quota;

	(void)state;
	sf_quota_init(&quota, 1024);
	assert_int_equal(take(&quota, 0, 5000), 0);
	assert_int_equal(sf_quota_take(&quota, 0, SF_QUOTA_BYTES, UINT64_MAX), 0);
	assert_int_equal(take(&quota, 7, 128), 0); /* root's do not count for the others */
	sf_quota_give(&quota, 0, SF_QUOTA_BYTES, UINT64_MAX);
	sf_quota_fini(&quota);
}

static void the_only_document_may_have_any_size(void **state)
{
	struct sf_quota quota;

	(void)state;
	sf_quota_init(&quota, 1024);
	assert_int_equal(sf_quota_take(&quota, 7, SF_QUOTA_BYTES, 400 * MIB), 0);
	assert_int_equal(sf_quota_take(&quota, 7, SF_QUOTA_BYTES, 1), -EMFILE);
	sf_quota_give(&quota, 7, SF_QUOTA_BYTES, 400 * MIB);
	assert_int_equal(sf_quota_take(&quota, 7, SF_QUOTA_BYTES, 60 * MIB), 0);
	assert_int_equal(sf_quota_take(&quota, 7, SF_QUOTA_BYTES, 5 * MIB), -EMFILE);
	assert_int_equal(sf_quota_take(&quota, 7, SF_QUOTA_BYTES, 4 * MIB), 0);
	assert_int_equal(sf_quota_take(&quota, 8, SF_QUOTA_BYTES, 64 * MIB), 0);
	assert_int_equal(sf_quota_take(&quota, 9, SF_QUOTA_BYTES, 1), -ENFILE);
	assert_int_equal(sf_quota_take(&quota, 7, SF_QUOTA_BYTES, UINT64_MAX), -EMFILE);
	sf_quota_fini(&quota);
}

static void nothing_is_kept_of_a_user_who_has_nothing(void **state)
{
	struct sf_quota quota;

	(void)state;
	sf_quota_init(&quota, 1024);
	for (uid_t uid = 1; uid < 1000; uid++) {
		assert_int_equal(take(&quota, uid, 1), 0);
		assert_int_equal(sf_quota_take(&quota, uid, SF_QUOTA_WAITING, 1), 0);
		sf_quota_give(&quota, uid, SF_QUOTA_OPEN, 1);
		assert_non_null(quota.users);
		sf_quota_give(&quota, uid, SF_QUOTA_WAITING, 1);
		assert_null(quota.users);
	}
	sf_quota_fini(&quota);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_user_leaves_half_to_the_others),
		cmocka_unit_test(root_is_not_bound),
		cmocka_unit_test(the_only_document_may_have_any_size),
		cmocka_unit_test(nothing_is_kept_of_a_user_who_has_nothing),
	};

	return cmocka_run_group_tests_name("quota", tests, NULL, NULL);
}
