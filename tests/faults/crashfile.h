/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The two halves of the log: changes to files and changes to directories. Only crashlog.c uses this header.
 */
#ifndef TESTS_FAULTS_CRASHFILE_H
#define TESTS_FAULTS_CRASHFILE_H

#include "crashsim.h"

struct crashnode;

uint64_t crashfile_random(uint64_t *state);
void crashfile_synced(const struct crashnode *node, bool data_only);
void crashfile_lose(enum crashsim_mode mode, uint64_t *random);

void crashdir_init(int graveyard);
void crashdir_synced(const struct crashnode *node);
void crashdir_lose(enum crashsim_mode mode, uint64_t *random);

#endif
