/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The only way in which snapfsctl prints: names, guests, peers and files supply parts of what it prints, and
 * a terminal must not obey them. tests/house/check-includes refuses printf(3) and the like elsewhere.
 * Functions ignore failures; main.c checks standard output at the end.
 */
#ifndef SF_SNAPFSCTL_SHOW_PRINT_H
#define SF_SNAPFSCTL_SHOW_PRINT_H

#include <stdio.h>

/*
 * Prints one line or a part of one, as fprintf(3), with one write(2) if out is unbuffered. Control characters
 * and bytes that are not UTF-8 become '?', except newlines with which fmt begins or ends.
 */
void sf_print(FILE *out, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* Prints lines of text, each as sf_print() does. */
void sf_print_text(FILE *out, const char *text);

/* Prints JSON. Control characters that JSON allows in strings, and bytes that are not UTF-8, are escaped. */
void sf_print_json(FILE *out, const char *json);

/* Moves the cursor, clears or colours: sequence is one of ours, see console_codes(4). */
void sf_print_control(FILE *out, const char *sequence);

#endif
