/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Prints "SECTION KEY" for every key that the parser of the configuration knows. */
#include "core/config/section.h"

#include <stdio.h>

int main(void)
{
	const struct sf_config_section *const sections[] = {&sf_config_of_snapfs, &sf_config_of_vm,
							    &sf_config_of_lvm, &sf_config_of_xen,
							    &sf_config_of_schedule};

	for (size_t i = 0; i < sizeof(sections) / sizeof(sections[0]); i++) {
		const char *key;

		for (unsigned k = 0; (key = sections[i]->key(k)); k++)
			(void)printf("%s %s\n", sections[i]->word, key);
	}
	return 0;
}
