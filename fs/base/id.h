/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * 128-bit random identifiers: the state directory's id, each snapshot's uuid, each volume's token. The text
 * form is 32 lower-case hex digits, which file names, LVM tags and JSON all accept.
 */
#ifndef SF_BASE_ID_H
#define SF_BASE_ID_H

#include <stdbool.h>
#include <stdint.h>

/* 32 digits and the NUL. */
#define SF_ID_TEXT 33

struct sf_id {
	uint8_t bytes[16];
};

/* A new random id from getrandom(2). Cannot fail once the kernel's pool is initialized. */
struct sf_id sf_id_new(void);

void sf_id_format(const struct sf_id *id, char text[static SF_ID_TEXT]);

/* Accepts exactly 32 lower-case hex digits. -EINVAL otherwise. */
int sf_id_parse(const char *text, struct sf_id *ret);

bool sf_id_equal(const struct sf_id *a, const struct sf_id *b);

#endif
