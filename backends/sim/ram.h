/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The content of a sim guest's RAM, which proves what tick it belongs to. Page 0 is a header. Every other
 * page begins with words derived from the tick, followed by words derived from its position. So each page
 * identifies its tick, and a missing, misplaced or damaged page is detected. A saved image is a plain copy of
 * the RAM.
 */
#ifndef SF_BACKENDS_SIM_RAM_H
#define SF_BACKENDS_SIM_RAM_H

#include "base/names.h"

#include <stdint.h>

struct sf_err;

/* Version of the layout. Images of other versions are refused. */
#define SF_SIM_RAM_VERSION 1

struct sf_sim_ram_header {
	char magic[8]; /* "SNAPFRAM" */
	uint64_t version;
	uint64_t tick;
	char name[SF_NAME_MAX + 1];
};

/* Fills all SF_SIM_RAM bytes of ram. */
void sf_sim_ram_build(char *ram, const char *name, uint64_t tick);
/* Updates a filled ram to another tick. */
void sf_sim_ram_advance(char *ram, uint64_t tick);

/*
 * Reads a saved image, SF_SIM_RAM bytes, from the start of fd and verifies all of it. -EINVAL: the image is
 * wrong; the text says how.
 */
int sf_sim_ram_load(int fd, char *ram, struct sf_err *err);

#endif
