/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The oracle of the crash sweep: checks what must hold after a new engine has started on the state that a
 * power cut left. The expected facts are in stage.h.
 */
#ifndef TESTS_FAULTS_ORACLE_H
#define TESTS_FAULTS_ORACLE_H

#include "stage.h"

/*
 * Starts an engine, which recovers, and complains about everything it finds wrong. Then starts a second
 * engine, which may change nothing, and lets the guest continue.
 */
void oracle_check(struct stage *stage);

/* --- listing.c --- */

/*
 * Lists everything below a directory of the stage, sorted, one path a line; with details also mode, size and
 * hash. The caller frees it.
 */
char *listing_files(const struct stage *stage, const char *name, bool details);
/* Lists files, objects, live disks and the guest in every detail. The caller frees it. */
char *listing_all(struct house *house);

/* Reads a live disk whole into buf, STAGE_DISK_BYTES long. False, with a complaint, on failure. */
bool read_live(struct house *house, unsigned i, char *buf);

#endif
