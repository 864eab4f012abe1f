/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "interrupt.h"

#include "tools/snapfsctl/show/say.h"

#include <signal.h>
#include <stddef.h>
#include <unistd.h>

static volatile sig_atomic_t interrupts;

static void on_interrupt(int signal)
{
	(void)signal;
	if (++interrupts > 1)
		_exit(SF_EXIT_FAILED);
}

static void on_wake(int signal)
{
	(void)signal; /* its arrival interrupts the blocked call */
}

void sf_interrupt_catch(void)
{
	static const int signals[] = {SIGINT, SIGTERM, SIGHUP};
	struct sigaction interrupt = {.sa_handler = on_interrupt}, wake = {.sa_handler = on_wake};

	for (size_t i = 0; i < sizeof(signals) / sizeof(signals[0]); i++) {
		struct sigaction before;

		(void)sigaction(signals[i], NULL, &before); /* these exist */
		if (before.sa_handler != SIG_IGN)
			(void)sigaction(signals[i], &interrupt, NULL);
	}
	(void)sigaction(SIGUSR1, &wake, NULL);
}

bool sf_interrupted(void)
{
	return interrupts > 0;
}

void sf_interrupt_forget(void)
{
	interrupts = 0;
}
