/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "export.h"

#include "base/err.h"

#include <errno.h>

void sf_export_moved(struct sf_export *export, uint64_t bytes)
{
	export->done_bytes += bytes;
	sf_progress_show(&export->progress, export->done_bytes, export->total_bytes);
}

void sf_export_note(struct sf_export *export, const char *name, const char *status, const struct sf_id *hash)
{
	json_t *entry = json_pack("{s:s, s:s}", "name", name, "status", status);
	char text[SF_ID_TEXT];

	if (hash) {
		sf_id_format(hash, text);
		json_object_set_new(entry, "xxh3_128", json_string(text));
	}
	json_array_append_new(export->files, entry);
}

int sf_export_check(const struct sf_content_file *file, const struct sf_id *hash, struct sf_err *err)
{
	if (!file->known || (!file->contradicted && sf_id_equal(&file->hash, hash)))
		return 0;
	return sf_fail(err, -EBADMSG, "%s differs from what %s records; cp copies it regardless", file->path,
		       file->known_by);
}
