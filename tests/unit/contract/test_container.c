/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which first blocks are taken for containers. */
#include "core/contract/container.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#define MIB (1024 * 1024)

static const char *format_of(size_t at, const char *bytes, size_t len)
{
	char block[SF_CONTAINER_BYTES] = {0};

	memcpy(block + at, bytes, len);
	return sf_container_format(block, sizeof(block));
}

static void each_format_is_recognised_by_its_header(void **state)
{
	static const struct {
		const char *name;
		size_t at, len;
		const char *bytes;
	} headers[] = {
		{"qcow2", 0, 8, "QFI\xfb\0\0\0\3"},
		{"VMDK", 0, 8, "KDMV\1\0\0\0"},
		{"VMDK", 0, 8, "COWD\1\0\0\0"},
		{"VMDK", 0, 32, "# Disk DescriptorFile\nversion=1\n"},
		{"LUKS", 0, 8, "LUKS\xba\xbe\0\1"},
		{"LUKS", 0, 8, "LUKS\xba\xbe\0\2"},
		{"VHDX", 0, 8, "vhdxfile"},
		{"VHD", 0, 12, "conectix\0\0\0\2"},
		{"VDI", 64, 8, "\x7f\x10\xda\xbe\1\0\1\0"},
		{"QED", 0, 4, "QED\0"},
		{"Parallels", 0, 16, "WithoutFreeSpace"},
		{"Parallels", 0, 16, "WithouFreSpacExt"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(headers) / sizeof(headers[0]); i++)
		assert_string_equal(format_of(headers[i].at, headers[i].bytes, headers[i].len),
				    headers[i].name);
}

static void raw_disks_are_no_containers(void **state)
{
	char block[SF_CONTAINER_BYTES] = {0};

	(void)state;
	assert_null(sf_container_format(block, sizeof(block)));
	assert_null(format_of(510, "\x55\xaa", 2));   /* a boot sector */
	assert_null(format_of(0, "\xeb\x63\x90", 3)); /* GRUB's */
	assert_null(format_of(1, "QFI\xfb", 4));      /* elsewhere */
	assert_null(format_of(0, "QFI\xfa", 4));
	assert_null(format_of(0, "QEDx", 4));
	assert_null(format_of(0, "LUKS\xba\xbf", 6));
	assert_null(format_of(0, "# Disk Descriptor", 17));
}

static void a_cut_header_is_not_read_beyond_its_end(void **state)
{
	(void)state;
	assert_null(sf_container_format("QFI", 3));
	assert_null(sf_container_format("", 0));
	assert_null(sf_container_format("LUKS\xba", 5));
	assert_string_equal(sf_container_format("QFI\xfb", 4), "qcow2");
}

static void only_a_small_text_is_a_descriptor(void **state)
{
	static const char text[] = "# Disk DescriptorFile\nversion=1\n";

	(void)state;
	assert_true(sf_container_is_descriptor(text, sizeof(text) - 1, sizeof(text) - 1));
	assert_true(sf_container_is_descriptor(text, sizeof(text) - 1, 64 * 1024));
	/* A guest may write this text to its raw disk, and must not thereby prevent its snapshots. */
	assert_false(sf_container_is_descriptor(text, sizeof(text) - 1, MIB));
	assert_false(sf_container_is_descriptor("KDMV\1\0\0\0", 8, 8));
	assert_false(sf_container_is_descriptor("# Disk", 6, 6));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_format_is_recognised_by_its_header),
		cmocka_unit_test(raw_disks_are_no_containers),
		cmocka_unit_test(a_cut_header_is_not_read_beyond_its_end),
		cmocka_unit_test(only_a_small_text_is_a_descriptor),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
