/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Formats and parses sizes, times and names for people. Pure, except for the host's time zone. */
#ifndef SF_SNAPFSCTL_SHOW_TEXT_H
#define SF_SNAPFSCTL_SHOW_TEXT_H

#include <stddef.h>
#include <stdint.h>

struct sf_err;

/* "1023.9K" and its NUL, with room to spare. */
#define SF_TEXT_BYTES 16
/* "2026-11-23 07:25:28" and its NUL. */
#define SF_TEXT_TIME 32
/* "1000d 23h" and its NUL. */
#define SF_TEXT_SPAN 32

/* Powers of 1024, with one decimal below ten: "0", "512", "1.5K", "12G", like ls -h and lsblk. */
void sf_text_bytes(uint64_t bytes, char text[static SF_TEXT_BYTES]);

/* In the host's time zone. */
void sf_text_time(uint64_t real_ns, char text[static SF_TEXT_TIME]);

/* "4s", "3m 20s", "2h 05m", "3d 4h". */
void sf_text_span(uint64_t seconds, char text[static SF_TEXT_SPAN]);

/*
 * Parses an age, back from now ("30min", "12h", "2d", "6mo", see duration.h), or a local date "YYYY-MM-DD[
 * HH:MM[:SS]]". -EINVAL.
 */
int sf_text_since(const char *text, uint64_t now_ns, uint64_t *ret_real_ns, struct sf_err *err);

/*
 * Copies text for terminals and error messages: control characters and bytes that are not UTF-8 become '?',
 * and text that does not fit is cut between characters and ends with "...".
 */
void sf_text_printable(const char *text, char *buf, size_t size);

/*
 * The edit distance between a and b: insertions, deletions, substitutions and swaps of adjacent bytes
 * (Levenshtein with transpositions).
 */
size_t sf_text_distance(const char *a, const char *b);

#endif
