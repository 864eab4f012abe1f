/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "core/config/config.h"

#include "core/contract/hypervisor.h"

#include "base/err.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static struct sf_config parsed(const char *text)
{
	struct sf_config config;
	struct sf_err err = {0};

	sf_config_init(&config);
	if (sf_config_parse(&config, "f", text, strlen(text), &err) < 0)
		fail_msg("%s", err.text);
	return config;
}

static void refused_bytes(const char *text, size_t len, int rc, const char *why)
{
	struct sf_config config;
	struct sf_err err = {0};

	sf_config_init(&config);
	assert_int_equal(sf_config_parse(&config, "f", text, len, &err), rc);
	if (!strstr(err.text, why))
		fail_msg("'%s' does not say '%s'", err.text, why);
	sf_config_fini(&config);
}

static void refused(const char *text, const char *why)
{
	refused_bytes(text, strlen(text), -EINVAL, why);
}

static void an_empty_file_leaves_the_defaults(void **state)
{
	struct sf_config config = parsed("# nothing here\n\n; nor here");

	(void)state;
	assert_string_equal(config.state_dir, "/var/lib/snapfs");
	assert_string_equal(config.hypervisor, "auto");
	assert_int_equal(config.state_reserve_bytes, 64 << 20);
	assert_true(config.policy.memory);
	assert_true(config.policy.live);
	assert_false(config.policy.quiesce);
	assert_int_equal(config.policy.pause_deadline_ms, 60000);
	assert_int_equal(config.policy.max_snapshots, 512);
	assert_string_equal(config.policy.timezone, "");
	assert_int_equal(config.nschedules, 0);
	assert_int_equal(config.nvms, 0);
	sf_config_fini(&config);
}

static void every_key_is_read(void **state)
{
	struct sf_config config = parsed("\xef\xbb\xbf[snapfs] ; defaults\n"
					 "state = /srv/snap\nhypervisor=none\n"
					 "state-reserve = 0\nmemory: no\nlive = no\nquiesce = "
					 "yes\npause-deadline = 10\nmax-snapshots = 7\n"
					 "timezone = Asia/Kolkata\n"
					 "[vm web]\r\n  disks = /a.img , mem:64M ; the second is a toy\r\n"
					 "  memory = yes\r\n  live = yes\r\n  disks = /c.img\r\n"
					 "  timezone = Europe/Berlin\r\n"
					 "[ vm  größe 2 ]\n");
	const struct sf_vm_config *web = &config.vms[0];

	(void)state;
	assert_string_equal(config.state_dir, "/srv/snap");
	assert_string_equal(config.hypervisor, "none");
	assert_int_equal(config.nvms, 2);
	assert_string_equal(web->name, "web");
	assert_int_equal(web->ndisks, 3);
	assert_string_equal(web->disks[0].spec, "/a.img");
	assert_string_equal(web->disks[1].spec, "mem:64M");
	assert_string_equal(web->disks[2].spec, "/c.img");
	assert_string_equal(web->disks[2].vdev, "vdc");
	assert_int_equal(config.state_reserve_bytes, 0);
	assert_true(web->policy.memory);
	assert_true(web->policy.live);
	assert_false(config.vms[1].policy.live);
	assert_true(web->policy.quiesce);
	assert_int_equal(web->policy.pause_deadline_ms, 10000);
	assert_string_equal(config.vms[1].name, "größe 2");
	assert_int_equal(config.vms[1].policy.max_snapshots, 7);
	assert_string_equal(web->policy.timezone, "Europe/Berlin");
	assert_string_equal(config.vms[1].policy.timezone, "Asia/Kolkata");
	sf_config_fini(&config);
}

static void the_policy_of_an_unnamed_vm_is_the_default(void **state)
{
	struct sf_config config = parsed("[snapfs]\nmax-snapshots = 9\n[vm web]\nmax-snapshots = 3\n");

	(void)state;
	assert_int_equal(sf_config_policy(&config, "web")->max_snapshots, 3);
	assert_int_equal(sf_config_policy(&config, "db")->max_snapshots, 9);
	sf_config_fini(&config);
}

static void unknown_words_are_refused_by_name_and_line(void **state)
{
	(void)state;
	refused("\n[snapfsd]\n", "f:2: unknown section [snapfsd]");
	refused("[vm]\n", "f:1: unknown section [vm]");
	refused("[snapfs]\nstat = /x\n", "f:2: unknown key 'stat'");
	refused("[snapfs]\ndisks = /x\n", "f:2: unknown key 'disks'");
	refused("[vm web]\nstate = /x\n", "f:2: unknown key 'state'");
	refused("[vm web]\nstate-reserve = 1\n", "f:2: unknown key 'state-reserve'");
	refused("[snapfs]\nlive = on\n", "f:2: live: 'on' is neither yes nor no");
	refused("memory = yes\n", "f:1: 'memory' precedes the first section");
	refused("[snapfs]\nmemory = maybe\n", "f:2: memory: 'maybe' is neither yes nor no");
	refused("[snapfs]\nquiesce = YES\n", "f:2: quiesce: 'YES'");
	refused("[snapfs]\nstate = var\n", "f:2: state: 'var' is not an absolute path");
	refused("[snapfs]\nhypervisor = abcdefghijklmnopq\n", "longer than 15 bytes");
	refused("[snapfs]\ntimezone = Mars/Base\n", "f:2: timezone: no time zone 'Mars/Base'");
	refused("[vm web]\ntimezone = /etc/localtime\n", "f:2: timezone: '/etc/localtime' is not the name");
	refused("[snapfs]\ntimezone =\n", "f:2: timezone: '' is not the name");
	refused("[snapfs]\nhypervisor =\n", "f:2: hypervisor: the value is empty");
}

static void numbers_have_bounds(void **state)
{
	(void)state;
	refused("[snapfs]\npause-deadline = 0\n", "'0' is not a number from 1 to 3600");
	refused("[snapfs]\npause-deadline = 3601\n", "'3601' is not");
	refused("[snapfs]\nstate-reserve = 1048577\n", "from 0 to 1048576");
	refused("[snapfs]\nmax-snapshots = 10001\n", "from 1 to 10000");
	refused("[snapfs]\nmax-snapshots = -1\n", "'-1' is not");
	refused("[snapfs]\nmax-snapshots = 0x10\n", "'0x10' is not");
	refused("[snapfs]\nmax-snapshots = 99999999999999999999\n", "is not a number");
}

static void the_lvm_section_has_defaults(void **state)
{
	struct sf_config config = parsed("");
	const struct sf_lvm_config *lvm = &config.lvm;

	(void)state;
	assert_int_equal(lvm->deadline_ms, 60000);
	assert_int_equal(lvm->idle_ms, 30000);
	assert_int_equal(lvm->cow_percent, 10);
	assert_int_equal(lvm->cow_minimum_bytes, 64 << 20);
	assert_int_equal(lvm->cow_extend_at, 70);
	assert_int_equal(lvm->cow_extend_by, 20);
	assert_int_equal(lvm->cow_ceiling, 100);
	assert_int_equal(lvm->vg_reserve, 2);
	assert_int_equal(lvm->pool_warn, 80);
	assert_int_equal(lvm->pool_stop, 95);
	sf_config_fini(&config);
}

static void every_lvm_key_is_read_in_its_unit(void **state)
{
	struct sf_config config = parsed("[lvm]\ndeadline = 3600\nidle = 0\ncow-size = 11\n"
					 "cow-minimum = 1048576\ncow-extend-at = 12\ncow-extend-by = 13\n"
					 "[vm web]\ndisks = /a.img\n"
					 "[lvm]\ncow-ceiling = 14\nvg-reserve = 0\npool-warn = 15\n"
					 "pool-stop = 16\n");
	const struct sf_lvm_config *lvm = &config.lvm;

	(void)state;
	assert_int_equal(lvm->deadline_ms, 3600 * 1000);
	assert_int_equal(lvm->idle_ms, 0);
	assert_int_equal(lvm->cow_percent, 11);
	assert_int_equal(lvm->cow_minimum_bytes, 1ULL << 40);
	assert_int_equal(lvm->cow_extend_at, 12);
	assert_int_equal(lvm->cow_extend_by, 13);
	assert_int_equal(lvm->cow_ceiling, 14);
	assert_int_equal(lvm->vg_reserve, 0);
	assert_int_equal(lvm->pool_warn, 15);
	assert_int_equal(lvm->pool_stop, 16);
	sf_config_fini(&config);
}

static void what_lvm_does_not_know_is_refused(void **state)
{
	(void)state;
	refused("[lvm]\nmemory = yes\n", "f:2: unknown key 'memory'");
	refused("[snapfs]\nidle = 3\n", "f:2: unknown key 'idle'");
	refused("[lvm]\nidle = \n", "f:2: idle: '' is not a number from 0 to 3600");
	refused("[lvm]\nidle = soon\n", "f:2: idle: 'soon' is not a number from 0 to 3600");
	refused("[lvm]\nidle = -1\n", "idle: '-1'");
	refused("[lvm]\ndeadline = 0\n", "deadline: '0' is not a number from 1 to 3600");
	refused("[lvm]\ncow-minimum = 1048577\n", "cow-minimum: '1048577' is not a number from 1 to 1048576");
	refused("[lvm]\ncow-extend-at = 9\n", "cow-extend-at: '9' is not a number from 10 to 99");
	refused("[lvm]\ncow-ceiling = 201\n", "cow-ceiling: '201' is not a number from 1 to 200");
	refused("[lvm]\nvg-reserve = 91\n", "vg-reserve: '91' is not a number from 0 to 90");
	refused("[lvm]\npool-stop = 10%\n", "pool-stop: '10%' is not a number from 1 to 100");
	refused("[lvm]\npool-warn = 5\n[lvm]\npool-warn = 5\n", "f:4: 'pool-warn' appears twice");
}

static void the_xen_section_has_defaults(void **state)
{
	struct sf_config config = parsed("[xen]\n");
	const char *helper = strrchr(config.xen.helper, '/');

	(void)state;
	assert_string_equal(config.xen.configs, "/etc/xen");
	assert_int_equal(config.xen.helper[0], '/');
	assert_string_equal(helper, "/snapfs-xen");
	assert_int_equal(config.xen.deadline_ms, 600 * 1000);
	sf_config_fini(&config);
}

static void every_xen_key_is_read(void **state)
{
	struct sf_config config = parsed("[xen]\nconfigs = /srv/xen, too\n[vm web]\n"
					 "[xen]\nhelper = /opt/snapfs-xen\ndeadline = 86400\n"
					 "[snapfs]\nhypervisor = xen\n");

	(void)state;
	assert_string_equal(config.xen.configs, "/srv/xen, too");
	assert_string_equal(config.xen.helper, "/opt/snapfs-xen");
	assert_int_equal(config.xen.deadline_ms, 86400ULL * 1000);
	assert_string_equal(config.hypervisor, "xen");
	sf_config_fini(&config);
}

static void what_xen_does_not_know_is_refused(void **state)
{
	(void)state;
	refused("[xen]\nxl = /sbin/xl\n", "f:2: unknown key 'xl'");
	refused("[xen]\nmemory = yes\n", "f:2: unknown key 'memory'");
	refused("[snapfs]\nconfigs = /etc/xen\n", "f:2: unknown key 'configs'");
	refused("[xen]\nconfigs = xen\n", "f:2: configs: 'xen' is not an absolute path");
	refused("[xen]\nhelper =\n", "f:2: helper: '' is not an absolute path");
	refused("[xen]\ndeadline = 0\n", "f:2: deadline: '0' is not a number from 1 to 86400");
	refused("[xen]\ndeadline = 86401\n", "deadline: '86401' is not a number from 1 to 86400");
	refused("[xen]\ndeadline = 5\n[xen]\ndeadline = 5\n", "f:4: 'deadline' appears twice");
	refused("[xen]\nhelper = /a\nhelper = /a\n", "f:3: 'helper' appears twice");
	refused("[xenon]\n", "f:1: unknown section [xenon]");
}

static void broken_lines_are_refused(void **state)
{
	(void)state;
	refused("[snapfs]\nmemory\n", "f:2: neither a [section] nor KEY = VALUE");
	refused("[snapfs]\njunk\nmemory = maybe\n", "f:2: neither");
	refused("[snapfs\n", "f:1: not a section");
	refused("[snapfs] x\n", "f:1: not a section");
	refused("[vm .hidden]\n", "f:1: VM '.hidden': the name starts with '.'");
	refused_bytes("[snapfs]\nmem\0ory = yes\n", 22, -EINVAL, "f:2: a NUL byte");
}

static void doubles_are_refused(void **state)
{
	(void)state;
	refused("[snapfs]\nmemory = yes\n[vm a]\n[snapfs]\nmemory = no\n", "f:5: 'memory' appears twice");
	refused("[vm a]\n[vm b]\n[vm a]\n", "f:3: section [vm a] appears twice");
	refused("[vm a]\ndisks = /x,/x\n", "disk '/x' appears twice");
}

static void disks_are_absolute_and_not_empty(void **state)
{
	(void)state;
	refused("[vm a]\ndisks = /x,,/y\n", "an empty disk");
	refused("[vm a]\ndisks =\n", "an empty disk");
	refused("[vm a]\ndisks = x.img\n", "disk 'x.img' is not an absolute path");
}

static void too_many_disks_are_refused(void **state)
{
	char text[4096] = "[vm a]\n";

	(void)state;
	for (int i = 0; i < SF_VM_DISKS_MAX + 1; i++)
		(void)snprintf(text + strlen(text), sizeof(text) - strlen(text), "disks = /%d\n", i);
	refused_bytes(text, strlen(text), -E2BIG, "more than 64 disks");
}

static void long_lines_are_refused_not_cut(void **state)
{
	char text[SF_CONFIG_LINE_MAX + 64] = "[vm a]\ndisks = /";
	size_t start = strlen("[vm a]\n");
	struct sf_config config;

	(void)state;
	memset(text + strlen(text), 'x', SF_CONFIG_LINE_MAX);
	text[start + SF_CONFIG_LINE_MAX] = '\0';
	config = parsed(text);
	assert_int_equal(strlen(config.vms[0].disks[0].spec), SF_CONFIG_LINE_MAX - strlen("disks = "));
	sf_config_fini(&config);
	text[start + SF_CONFIG_LINE_MAX] = 'x';
	text[start + SF_CONFIG_LINE_MAX + 1] = '\0';
	refused(text, "f:2: a line is longer than 4096 bytes");
}

static void a_long_vm_name_is_whole(void **state)
{
	char text[200] = "[vm ";
	struct sf_config config;

	(void)state;
	memset(text + 4, 'n', 127);
	(void)strcat(text, "]\n");
	config = parsed(text);
	assert_int_equal(strlen(config.vms[0].name), 127);
	sf_config_fini(&config);
}

static void a_huge_text_is_refused(void **state)
{
	char *text = calloc(1, SF_CONFIG_BYTES_MAX + 1);

	(void)state;
	assert_non_null(text);
	refused_bytes(text, SF_CONFIG_BYTES_MAX + 1, -EFBIG, "larger than 1048576 bytes");
	free(text);
}

static void the_command_line_beats_the_file(void **state)
{
	struct sf_config config = parsed("[vm web]\ndisks = /old\nmax-snapshots = 4\n");

	(void)state;
	assert_int_equal(sf_config_add_vm(&config, "web=/new,mem:1M", NULL), 0);
	assert_int_equal(sf_config_add_vm(&config, "db=/db=1.img", NULL), 0);
	assert_int_equal(config.nvms, 2);
	assert_int_equal(config.vms[0].ndisks, 2);
	assert_string_equal(config.vms[0].disks[0].spec, "/new");
	assert_int_equal(config.vms[0].policy.max_snapshots, 4);
	assert_string_equal(config.vms[1].disks[0].spec, "/db=1.img");
	sf_config_fini(&config);
}

static void relative_disks_count_from_the_working_directory(void **state)
{
	struct sf_config config = parsed("");

	(void)state;
	assert_int_equal(chdir("/tmp"), 0);
	assert_int_equal(sf_config_add_vm(&config, "web=a.img,./b.img", NULL), 0);
	assert_string_equal(config.vms[0].disks[0].spec, "/tmp/a.img");
	assert_string_equal(config.vms[0].disks[1].spec, "/tmp/./b.img");
	sf_config_fini(&config);
}

static void bad_arguments_change_nothing(void **state)
{
	static const char *const args[][2] = {{"web", "not NAME=DISK"},
					      {"web=", "VM 'web': an empty disk"},
					      {"=/x", "the name is empty"},
					      {"-x=/x", "VM '-x': the name starts with '-'"},
					      {"web=/x,/x", "VM 'web': disk '/x' appears twice"}};
	struct sf_config config = parsed("");
	struct sf_err err = {0};

	(void)state;
	for (size_t i = 0; i < sizeof(args) / sizeof(args[0]); i++) {
		assert_int_equal(sf_config_add_vm(&config, args[i][0], &err), -EINVAL);
		assert_non_null(strstr(err.text, args[i][1]));
	}
	assert_int_equal(config.nvms, 0);
	sf_config_fini(&config);
}

static void a_missing_file_is_told_apart(void **state)
{
	struct sf_config config = parsed("");
	struct sf_err err = {0};

	(void)state;
	assert_int_equal(sf_config_load(&config, "/nonexistent/snapfs.conf", &err), -ENOENT);
	assert_non_null(strstr(err.text, "/nonexistent/snapfs.conf"));
	sf_config_fini(&config);
}

static void a_file_is_loaded_by_path(void **state)
{
	char path[] = "/tmp/test_config.XXXXXX";
	int fd = mkstemp(path);
	struct sf_config config = parsed("");
	struct sf_err err = {0};

	(void)state;
	assert_true(fd >= 0);
	assert_int_equal(write(fd, "[vm a]\nx", 8), 8);
	assert_int_equal(sf_config_load(&config, path, &err), -EINVAL);
	assert_non_null(strstr(err.text, path));
	assert_non_null(strstr(err.text, ":2: "));
	sf_config_fini(&config);
	(void)close(fd);
	(void)unlink(path);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_empty_file_leaves_the_defaults),
		cmocka_unit_test(every_key_is_read),
		cmocka_unit_test(the_policy_of_an_unnamed_vm_is_the_default),
		cmocka_unit_test(unknown_words_are_refused_by_name_and_line),
		cmocka_unit_test(numbers_have_bounds),
		cmocka_unit_test(the_lvm_section_has_defaults),
		cmocka_unit_test(every_lvm_key_is_read_in_its_unit),
		cmocka_unit_test(what_lvm_does_not_know_is_refused),
		cmocka_unit_test(the_xen_section_has_defaults),
		cmocka_unit_test(every_xen_key_is_read),
		cmocka_unit_test(what_xen_does_not_know_is_refused),
		cmocka_unit_test(broken_lines_are_refused),
		cmocka_unit_test(doubles_are_refused),
		cmocka_unit_test(disks_are_absolute_and_not_empty),
		cmocka_unit_test(too_many_disks_are_refused),
		cmocka_unit_test(long_lines_are_refused_not_cut),
		cmocka_unit_test(a_long_vm_name_is_whole),
		cmocka_unit_test(a_huge_text_is_refused),
		cmocka_unit_test(the_command_line_beats_the_file),
		cmocka_unit_test(relative_disks_count_from_the_working_directory),
		cmocka_unit_test(bad_arguments_change_nothing),
		cmocka_unit_test(a_missing_file_is_told_apart),
		cmocka_unit_test(a_file_is_loaded_by_path),
	};

	return cmocka_run_group_tests_name("config", tests, NULL, NULL);
}
