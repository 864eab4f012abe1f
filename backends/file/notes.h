/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What an administrator should know about an image: slot of the storage contract. */
#ifndef SF_BACKENDS_FILE_NOTES_H
#define SF_BACKENDS_FILE_NOTES_H

#include "core/contract/storage.h"

int sf_file_notes(struct sf_volume *volume, sf_note_fn *fn, void *arg, struct sf_err *err);

#endif
