/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The cases of the storage suite, one table a subject. They have no setup; the runner adds the bench. */
#ifndef SF_TESTS_CONTRACT_STORAGE_CASES_H
#define SF_TESTS_CONTRACT_STORAGE_CASES_H

#include <stddef.h>

struct contract_case;

/* Abilities that a case may need. */
#define NEEDS_HOLES   1U
#define NEEDS_WRITERS 2U
#define NEEDS_LABELS  4U
#define NEEDS_LOSS    8U

size_t storage_disk_cases(const struct contract_case **ret);
size_t storage_object_cases(const struct contract_case **ret);
size_t storage_image_cases(const struct contract_case **ret);
size_t storage_label_cases(const struct contract_case **ret);

#endif
