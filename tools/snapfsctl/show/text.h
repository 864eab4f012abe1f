/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Sizes, times and names as people read and write them. Pure, but for the host's time zone. */
#ifndef SF_SNAPFSCTL_SHOW_TEXT_H
#define SF_SNAPFSCTL_SHOW_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct sf_err;

/* "1023.9K" and its NUL, with room to spare. */
#define SF_TEXT_BYTES 16
/* "2026-11-23 07:25:28" and its NUL. */
#define SF_TEXT_TIME 32
/* "1000d 23h" and its NUL. */
#define SF_TEXT_SPAN 32

/* Powers of 1024 with one decimal below ten: "0", "512", "1.5K", "12G", as ls -h and lsblk. */
void sf_text_bytes(uint64_t bytes, char text[static SF_TEXT_BYTES]);

/* In the host's time zone. */
void sf_text_time(uint64_t real_ns, char text[static SF_TEXT_TIME]);

/* "4s", "3m 20s", "2h 05m", "3d 4h". */
void sf_text_span(uint64_t seconds, char text[static SF_TEXT_SPAN]);

/* A span back from now, "30m", "12h", "2d", "3w", or a local "YYYY-MM-DD[ HH:MM[:SS]]", as an instant.
 * -EINVAL. */
int sf_text_since(const char *text, uint64_t now_ns, uint64_t *ret_real_ns, struct sf_err *err);

/* Whether what begins at, in UTF-8, is a control character, which a terminal might obey. */
bool sf_text_is_control(const char *at);

/* The same in place, newlines apart. */
void sf_text_defuse(char *text);

/* text with '?' for every control character and cut with "..." when it does not fit: for terminals and error
 * lines. */
void sf_text_printable(const char *text, char *buf, size_t size);

/* How many characters were left out, put in, changed or swapped between a and b (Levenshtein with
 * transpositions of neighbours). */
size_t sf_text_distance(const char *a, const char *b);

#endif
