/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * How far something long has come, on standard error: a bar with rate and remaining time on a terminal, a
 * line now and then elsewhere, nothing for what is over in a moment.
 */
#ifndef SF_SNAPFSCTL_SHOW_PROGRESS_H
#define SF_SNAPFSCTL_SHOW_PROGRESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct sf_progress {
	const char *what; /* "create web/x"; the caller's */
	bool quiet;
	bool terminal; /* of standard error */
	bool drawn;
	uint64_t began_ms, shown_ms;
	uint64_t first_bytes; /* done at the first look: no part of the rate */
	bool looked;
};

/* quiet: shows nothing at all. what outlives it. */
void sf_progress_begin(struct sf_progress *progress, const char *what, bool quiet);
/* May be called as often as one likes. total_bytes 0: not known yet. */
void sf_progress_show(struct sf_progress *progress, uint64_t done_bytes, uint64_t total_bytes);
/* Takes the bar away. */
void sf_progress_end(struct sf_progress *progress);

/* How wide and high standard output or error (fd) is; 80 columns and 24 lines when it is no terminal. */
unsigned sf_terminal_width(int fd);
unsigned sf_terminal_height(int fd);

/*
 * How many of a line's len bytes are shown on width columns: none in the last one, at which some terminals
 * wrap, and no half character of UTF-8. Characters count as their bytes, so that a line may come out shorter
 * than it could be.
 */
int sf_terminal_fitting(const char *line, size_t len, unsigned width);

#endif
