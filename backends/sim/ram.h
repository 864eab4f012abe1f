/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a sim guest has in its RAM. Page 0 is a header; each further page starts with words that follow from
 * the tick and goes on with words that follow from its place. So every page says which tick it is of, and a
 * page that is missing, in the wrong place or damaged is noticed. A saved image is the RAM as it is.
 */
#ifndef SF_BACKENDS_SIM_RAM_H
#define SF_BACKENDS_SIM_RAM_H

#include "base/names.h"

#include <stdint.h>

struct sf_err;

/* Of the image's layout; one of another version is not understood. */
#define SF_SIM_RAM_VERSION 1

struct sf_sim_ram_header {
	char magic[8]; /* "SNAPFRAM" */
	uint64_t version;
	uint64_t tick;
	char name[SF_NAME_MAX + 1];
};

/* Fills all of ram, SF_SIM_RAM bytes. */
void sf_sim_ram_build(char *ram, const char *name, uint64_t tick);
/* Brings a built ram to another tick. */
void sf_sim_ram_advance(char *ram, uint64_t tick);

/*
 * Reads a saved image from the start of fd into SF_SIM_RAM bytes and checks all of it. -EINVAL says what is
 * wrong.
 */
int sf_sim_ram_load(int fd, char *ram, struct sf_err *err);

#endif
