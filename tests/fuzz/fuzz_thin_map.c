/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Fuzzes the parser of thin_dump's output. Any text is either refused or gives ranges that obey the rules of
 * extents.h.
 */
#include "backends/lvm/thin_map.h"

#include "base/cleanup.h"
#include "base/durable.h"
#include "base/io.h"
#include "core/contract/extents.h"

#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#define DEVICE 1
#define SIZE   ((uint64_t)64 * 1024 * 1024)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct sf_extents extents = {.size_bytes = SIZE};
	auto_fd int fd = memfd_create("dump", MFD_CLOEXEC);
	uint64_t end = 0;

	if (fd < 0 || sf_write_all(fd, data, size) < 0 || lseek(fd, 0, SEEK_SET) != 0)
		abort();
	if (sf_thin_map_read(fd, DEVICE, &extents, NULL) < 0)
		return 0;
	for (size_t i = 0; i < extents.n; i++) {
		const struct sf_range *range = &extents.list[i];

		if (range->len == 0 || range->off >= SIZE || range->len > SIZE - range->off ||
		    (i > 0 && range->off <= end))
			abort();
		end = range->off + range->len;
	}
	sf_extents_fini(&extents);
	return 0;
}
