/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Sources: QEMU's docs/interop/qcow2.rst, qed_spec.rst and parallels.txt; VMware's "Virtual Disk Format 5.0";
 * the LUKS1 and LUKS2 on-disk formats; Microsoft's MS-VHDX and "Virtual Hard Disk Image Format"; VirtualBox's
 * VDICore.h.
 */
#include "container.h"

#include <string.h>

#define DESCRIPTOR "# Disk DescriptorFile"
/* QEMU reads no more of a descriptor (block/vmdk.c). A guest with a smaller raw disk does not exist. */
#define DESCRIPTOR_MAX (1024 * 1024)

static bool starts(const void *first, size_t len, size_t at, const char *magic, size_t magic_len)
{
	return len >= at + magic_len && memcmp((const char *)first + at, magic, magic_len) == 0;
}

const char *sf_container_format(const void *first, size_t len)
{
	static const struct {
		const char *name;
		size_t at, len;
		char magic[24];
	} formats[] = {
		{"qcow2", 0, 4, "QFI\xfb"},
		{"VMDK", 0, 4, "KDMV"},
		{"VMDK", 0, 4, "COWD"},
		{"VMDK", 0, sizeof(DESCRIPTOR) - 1, DESCRIPTOR},
		{"LUKS", 0, 6, "LUKS\xba\xbe"},
		{"VHDX", 0, 8, "vhdxfile"},
		{"VHD", 0, 8, "conectix"},
		{"VDI", 64, 4, "\x7f\x10\xda\xbe"},
		{"QED", 0, 4, "QED"}, /* with its NUL */
		{"Parallels", 0, 16, "WithoutFreeSpace"},
		{"Parallels", 0, 16, "WithouFreSpacExt"},
	};

	for (size_t i = 0; i < sizeof(formats) / sizeof(formats[0]); i++)
		if (starts(first, len, formats[i].at, formats[i].magic, formats[i].len))
			return formats[i].name;
	return NULL;
}

bool sf_container_is_descriptor(const void *first, size_t len, uint64_t size_bytes)
{
	return size_bytes < DESCRIPTOR_MAX && starts(first, len, 0, DESCRIPTOR, sizeof(DESCRIPTOR) - 1);
}
