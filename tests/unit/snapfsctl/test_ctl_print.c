/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "tools/snapfsctl/show/print.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

/* What a terminal would obey: colours, a title, DEL, CSI as one C1 character, lines of
 * its own, and CSI as one byte. */
#define HOSTILE "a\033[31m\a\177\302\23331m\nok\r\tü\233"
#define DEFUSED "a?[31m???31m?ok??ü?"

struct output {
	char *text;
	size_t len;
	FILE *out;
};

static FILE *opened(struct output *output)
{
	*output = (struct output){0};
	output->out = open_memstream(&output->text, &output->len);
	assert_non_null(output->out);
	return output->out;
}

static void expect(struct output *output, const char *text)
{
	assert_int_equal(fclose(output->out), 0);
	assert_string_equal(output->text, text);
	free(output->text);
}

static void only_newlines_around_the_format_are_printed(void **state)
{
	struct output output;

	(void)state;
	sf_print(opened(&output), "\n  %s\n", HOSTILE);
	expect(&output, "\n  " DEFUSED "\n");
	sf_print(opened(&output), "%s", "a\n");
	expect(&output, "a?");
	sf_print(opened(&output), "%s\n", "\n\n");
	expect(&output, "??\n");
	sf_print(opened(&output), "\n");
	expect(&output, "\n");
	sf_print(opened(&output), "%s", "");
	expect(&output, "");
}

static void text_keeps_its_lines(void **state)
{
	struct output output;

	(void)state;
	sf_print_text(opened(&output), "\n\none\n" HOSTILE "\n");
	expect(&output, "\n\none\na?[31m???31m\nok??ü?\n");
}

/* Lines of several processes on one terminal or in one log must not mix. */
static void a_line_is_one_write(void **state)
{
	char text[256];
	int ends[2];
	FILE *out;

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, ends), 0);
	out = fdopen(ends[1], "w");
	assert_non_null(out);
	assert_int_equal(setvbuf(out, NULL, _IONBF, 0), 0); /* like stderr */
	sf_print(out, "\n%s: %s\n", "web", HOSTILE);
	assert_int_equal(read(ends[0], text, sizeof(text)), strlen("\nweb: " DEFUSED "\n"));
	sf_print_text(out, "one\ntwo");
	assert_int_equal(read(ends[0], text, sizeof(text)), 4);
	assert_int_equal(read(ends[0], text, sizeof(text)), 3);
	(void)fclose(out);
	(void)close(ends[0]);
}

static void json_keeps_its_meaning(void **state)
{
	struct output output;

	(void)state;
	sf_print_json(opened(&output), "{\n\"a\": \"\177\302\233\\u001bü\"\n}\n");
	expect(&output, "{\n\"a\": \"\\u007f\\u009b\\u001bü\"\n}\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(only_newlines_around_the_format_are_printed),
		cmocka_unit_test(text_keeps_its_lines),
		cmocka_unit_test(a_line_is_one_write),
		cmocka_unit_test(json_keeps_its_meaning),
	};

	return cmocka_run_group_tests_name("ctl_print", tests, NULL, NULL);
}
