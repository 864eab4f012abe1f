/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "passes.h"

#include "base/clock.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

uint64_t passes_variable(const char *name)
{
	const char *text = getenv(name);

	return text ? strtoull(text, NULL, 10) : 0;
}

uint64_t passes_share(uint64_t end_ms, uint64_t ncases)
{
	uint64_t now = sf_clock_mono_ms();

	return end_ms == 0 ? 0 : now + (end_ms > now ? (end_ms - now) / ncases : 0) + 1;
}

bool passes_over(uint64_t until_ms)
{
	return until_ms > 0 && sf_clock_mono_ms() >= until_ms;
}

void passes_tell(const char *operation, const char *storage, uint64_t points, uint64_t npasses,
		 uint64_t of_passes)
{
	if (npasses < of_passes)
		(void)printf("# %s on %s: no time left: %" PRIu64 " points, %" PRIu64 " of %" PRIu64
			     " passes\n",
			     operation, storage, points, npasses, of_passes);
}
