/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The time of a crash sweep. With a limit, a case visits its points in passes: every n-th point, then the
 * points after them, and so on, so that a case that is ended early has looked everywhere.
 */
#ifndef TESTS_FAULTS_PASSES_H
#define TESTS_FAULTS_PASSES_H

#include <stdbool.h>
#include <stdint.h>

/* The number in this variable of the environment; 0 if there is none. */
uint64_t passes_variable(const char *name);

/*
 * Until when a case may run, on the clock of sf_clock_mono_ms(), if ncases more share the time until end_ms
 * equally. 0: no limit, if end_ms is 0.
 */
uint64_t passes_share(uint64_t end_ms, uint64_t ncases);

/* Whether that time has come. */
bool passes_over(uint64_t until_ms);

/* Prints how far a case came that had no time for all passes. */
void passes_tell(const char *operation, const char *storage, uint64_t points, uint64_t npasses,
		 uint64_t of_passes);

#endif
