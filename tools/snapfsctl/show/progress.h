/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Shows the progress of a long operation on standard error: on a terminal a bar with rate and remaining time,
 * elsewhere an occasional line, and nothing for an operation that ends at once.
 */
#ifndef SF_SNAPFSCTL_SHOW_PROGRESS_H
#define SF_SNAPFSCTL_SHOW_PROGRESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct sf_progress {
	const char *what; /* "create web/x"; owned by the caller */
	bool quiet;
	bool terminal; /* standard error is a terminal */
	bool drawn;
	uint64_t began_ms, shown_ms;
	uint64_t first_bytes; /* done before the first call; not part of the rate */
	bool looked;
};

/* quiet: show nothing. what must outlive progress. */
void sf_progress_begin(struct sf_progress *progress, const char *what, bool quiet);
/* May be called as often as convenient: it limits the output itself. total_bytes 0: not known yet. */
void sf_progress_show(struct sf_progress *progress, uint64_t done_bytes, uint64_t total_bytes);
/* Erases the bar. */
void sf_progress_end(struct sf_progress *progress);

/* The width and height of the terminal fd in characters; 80 and 24 if fd is no terminal. */
unsigned sf_terminal_width(int fd);
unsigned sf_terminal_height(int fd);

/*
 * Returns how many of the first len bytes of line fit into width columns. It leaves the last column free,
 * because some terminals wrap there, and does not split a UTF-8 character. It counts bytes as columns, so the
 * result may be shorter than necessary.
 */
int sf_terminal_fitting(const char *line, size_t len, unsigned width);

#endif
