/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Fuzzes the parser of lvs reports and of the tags in them. Tags that parse as ours must come out of the
 * formatter unchanged.
 */
#include "backends/lvm/report.h"

#include "base/cleanup.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_tags(const char *text)
{
	static char joined[SF_LVM_TAGS_MAX * (SF_LVM_TAG + 1)];
	struct sf_lvm_tag_list list, again;
	struct sf_lvm_tags tags;
	size_t len = 0;

	if (!sf_lvm_tags_parse(text, &tags))
		return;
	sf_lvm_tags_format(&tags, &list);
	for (size_t i = 0; i < list.n; i++)
		len += (size_t)snprintf(joined + len, sizeof(joined) - len, "%s,", list.text[i]);
	if (!sf_lvm_tags_parse(joined, &tags))
		abort();
	sf_lvm_tags_format(&tags, &again);
	if (list.n != again.n)
		abort();
	for (size_t i = 0; i < list.n; i++)
		if (strcmp(list.text[i], again.text[i]) != 0)
			abort();
}

/* Every string in a report is terminated. */
static void check_report(const struct sf_lvm_report *report)
{
	for (size_t i = 0; i < report->n; i++) {
		const struct sf_lv *lv = &report->lvs[i];

		if (strnlen(lv->name, sizeof(lv->name)) == sizeof(lv->name) || !*lv->name ||
		    sf_lvm_find(report, lv->name) > lv)
			abort();
		if (lv->other_tags && (!*lv->other_tags || strstr(lv->other_tags, ",,")))
			abort();
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	auto_free char *text = malloc(size + 1);
	auto_report struct sf_lvm_report *report = NULL;

	if (!text)
		abort();
	memcpy(text, data, size);
	text[size] = '\0';
	check_tags(text);
	if (sf_lvm_parse(text, size, &report, NULL) == 0)
		check_report(report);
	return 0;
}
