/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What must hold once a new engine has started on what a power cut left; the facts are in stage.h. */
#ifndef TESTS_FAULTS_ORACLE_H
#define TESTS_FAULTS_ORACLE_H

#include "stage.h"

/*
 * Starts an engine (recovery), complains about what it finds wrong, starts another one, which may change
 * nothing, and lets the guest go on.
 */
void oracle_check(struct stage *stage);

/* --- listing.c --- */

/*
 * What is below a directory of the stage, sorted: a path a line, with details its mode, size and hash.
 * Allocated.
 */
char *listing_files(const struct stage *stage, const char *name, bool details);
/* Files, objects, live disks and guest, in every detail. Allocated. */
char *listing_all(struct house *house);

/* All of a live disk; false with a complaint. buf has STAGE_DISK_BYTES. */
bool read_live(struct house *house, unsigned i, char *buf);

#endif
