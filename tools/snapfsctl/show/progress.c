/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "progress.h"

#include "print.h"
#include "say.h"
#include "text.h"

#include "base/clock.h"

#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

/* Nothing is shown for operations shorter than PATIENCE_MS; the others are how often it is updated. */
#define PATIENCE_MS      500
#define TERMINAL_STEP_MS 200
#define LINE_STEP_MS     5000

unsigned sf_terminal_width(int fd)
{
	struct winsize size;

	return ioctl(fd, TIOCGWINSZ, &size) < 0 || size.ws_col == 0 ? 80 : size.ws_col;
}

unsigned sf_terminal_height(int fd)
{
	struct winsize size;

	return ioctl(fd, TIOCGWINSZ, &size) < 0 || size.ws_row == 0 ? 24 : size.ws_row;
}

int sf_terminal_fitting(const char *line, size_t len, unsigned width)
{
	size_t most = width > 1 ? width - 1 : 1;

	if (len <= most)
		return (int)len;
	while (most > 0 && ((unsigned char)line[most] & 0xc0) == 0x80)
		most--;
	return (int)most;
}

void sf_progress_begin(struct sf_progress *progress, const char *what, bool quiet)
{
	*progress = (struct sf_progress){.what = what,
					 .quiet = quiet,
					 .terminal = isatty(STDERR_FILENO),
					 .began_ms = sf_clock_mono_ms()};
}

/* ", 350M/s, 12s left"; leaves out what is unknown. */
static void describe_rate(const struct sf_progress *progress, uint64_t now, uint64_t done, uint64_t total,
			  char *buf, size_t size)
{
	uint64_t elapsed = now - progress->began_ms, moved = done - progress->first_bytes, rate;
	char bytes[SF_TEXT_BYTES], left[SF_TEXT_SPAN];

	*buf = '\0';
	if (elapsed == 0 || moved == 0 || done < progress->first_bytes)
		return;
	rate = moved * 1000 / elapsed;
	sf_text_bytes(rate, bytes);
	(void)snprintf(buf, size, ", %s/s", bytes);
	if (rate == 0 || total <= done)
		return;
	sf_text_span((total - done) / rate, left);
	(void)snprintf(buf + strlen(buf), size - strlen(buf), ", %s left", left);
}

static void draw(struct sf_progress *progress, uint64_t done, uint64_t total, const char *rate)
{
	static const char hashes[] = "##############################",
			  dots[] = "..............................";
	unsigned width = sf_terminal_width(STDERR_FILENO), percent = 0;
	char line[512], amount[SF_TEXT_BYTES], bar[2 * sizeof(hashes)] = "";

	sf_text_bytes(done, amount);
	if (total)
		percent = done >= total ? 100 : (unsigned)((double)done * 100 / (double)total);
	if (total && width > 60) {
		int full = (int)(percent * (sizeof(hashes) - 1) / 100);

		(void)snprintf(bar, sizeof(bar), " [%.*s%s]", full, hashes, dots + full);
	}
	if (total)
		(void)snprintf(line, sizeof(line), "%3u%%%s %s %s%s", percent, bar, progress->what, amount,
			       rate);
	else
		(void)snprintf(line, sizeof(line), "%s %s%s", progress->what, amount, rate);
	sf_print_control(stderr, "\r\033[K");
	sf_print(stderr, "%.*s", sf_terminal_fitting(line, strlen(line), width), line);
	(void)fflush(stderr);
	progress->drawn = true;
}

void sf_progress_show(struct sf_progress *progress, uint64_t done_bytes, uint64_t total_bytes)
{
	uint64_t now = sf_clock_mono_ms(), step = progress->terminal ? TERMINAL_STEP_MS : LINE_STEP_MS;
	char rate[64], amount[SF_TEXT_BYTES], all[SF_TEXT_BYTES];

	if (!progress->looked) {
		progress->looked = true;
		progress->first_bytes = done_bytes;
	}
	if (progress->quiet || now - progress->began_ms < PATIENCE_MS || now - progress->shown_ms < step)
		return;
	progress->shown_ms = now;
	describe_rate(progress, now, done_bytes, total_bytes, rate, sizeof(rate));
	if (progress->terminal) {
		draw(progress, done_bytes, total_bytes, rate);
		return;
	}
	sf_text_bytes(done_bytes, amount);
	sf_text_bytes(total_bytes, all);
	sf_ctl_say("%s: %s of %s%s", progress->what, amount, total_bytes ? all : "?", rate);
}

void sf_progress_end(struct sf_progress *progress)
{
	if (progress->drawn)
		sf_print_control(stderr, "\r\033[K");
	progress->drawn = false;
}
