// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The only process of a test guest. It counts, in RAM and on its disks, and prints at each tick whether they
 * agree:
 *
 *   guest boot=NONCE start count=C xvda=C xvdb=C MATCH   once at the start, continuing from the count on xvda
 *   guest boot=NONCE count=C xvda=C-1 xvdb=C-1 MATCH     at each tick: C is the new count, C-1 what the disks
 *                                                        had before they got C
 *
 * MISMATCH instead of MATCH: a disk, or a page of the RAM that the guest keeps dirty, is of another instant
 * than the count. A nonce tells a restored guest from one that has booted. The guest bypasses its page cache
 * for the disks.
 *
 * Parameters on the kernel's command line: disks=N (1 to 4, default 1), tick=MS (default 300), and dirty=MIB
 * (default 0), the amount of RAM to write at each tick. A line on the console is a command: poweroff, reboot
 * or crash. The kernel runs this program as /sbin/poweroff and /sbin/reboot when Xen asks for that; it then
 * does what the name says.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

enum { BLOCK = 4096, DISKS_MAX = 4 };

struct guest {
	long nonce, count;
	int ndisks, disks[DISKS_MAX], tick_ms;
	char *block;
	long *dirty; /* each page begins with the count */
	size_t ndirty;
};

static long option(const char *name, long otherwise)
{
	char line[2048] = " ", key[32];
	int fd = open("/proc/cmdline", O_RDONLY | O_CLOEXEC);
	if (fd < 0 || read(fd, line + 1, sizeof line - 2) < 0)
		return otherwise;
	close(fd);
	snprintf(key, sizeof key, " %s=", name);
	const char *found = strstr(line, key);
	return found ? strtol(found + strlen(key), NULL, 10) : otherwise;
}

static void say(const char *what)
{
	printf("guest: %s: %s\n", what, strerror(errno));
}

static void prepare(void)
{
	mkdir("/proc", 0755);
	mkdir("/sys", 0755);
	mkdir("/dev", 0755);
	mount("proc", "/proc", "proc", 0, NULL);
	mount("sysfs", "/sys", "sysfs", 0, NULL);
	mount("devtmpfs", "/dev", "devtmpfs", 0, NULL);
	int console = open("/dev/hvc0", O_RDWR);
	for (int fd = 0; console >= 0 && fd < 3; fd++)
		dup2(console, fd);
	setvbuf(stdout, NULL, _IOLBF, 0);
	int module = open("/xen-blkfront.ko", O_RDONLY | O_CLOEXEC);
	if (module < 0 || syscall(SYS_finit_module, module, "", 0) < 0)
		say("xen-blkfront");
}

static int open_disk(int n)
{
	char path[] = "/dev/xvda";
	path[8] = (char)('a' + n);
	for (;;) {
		int fd = open(path, O_RDWR | O_DIRECT | O_SYNC | O_CLOEXEC);
		if (fd >= 0)
			return fd;
		usleep(20000);
	}
}

/* The count on a disk, or -1 if it cannot be read. */
static long found_on(struct guest *g, int n)
{
	if (pread(g->disks[n], g->block, BLOCK, 0) != BLOCK)
		return -1;
	return strncmp(g->block, "COUNT ", 6) != 0 ? 0 : strtol(g->block + 6, NULL, 10);
}

static void write_to(struct guest *g, int n)
{
	memset(g->block, 0, BLOCK);
	snprintf(g->block, BLOCK, "COUNT %ld\n", g->count);
	if (pwrite(g->disks[n], g->block, BLOCK, 0) != BLOCK)
		say("write");
}

/* Prints the counts on the disks, and whether they and all dirty pages equal `expected`. */
static void compare(struct guest *g, const char *start, long expected)
{
	bool match = true;
	printf("guest boot=%ld %scount=%ld", g->nonce, start, g->count);
	for (int n = 0; n < g->ndisks; n++) {
		long found = found_on(g, n);
		printf(" xvd%c=%ld", 'a' + n, found);
		match = match && found == expected;
	}
	for (size_t page = 0; page < g->ndirty; page++)
		match = match && g->dirty[page * BLOCK / sizeof *g->dirty] == expected;
	puts(match ? " MATCH" : " MISMATCH");
}

static void tick(struct guest *g)
{
	compare(g, "", ++g->count - 1);
	for (int n = 0; n < g->ndisks; n++)
		write_to(g, n);
	for (size_t page = 0; page < g->ndirty; page++)
		g->dirty[page * BLOCK / sizeof *g->dirty] = g->count;
}

static void start(struct guest *g)
{
	struct timespec now;
	clock_gettime(CLOCK_REALTIME, &now);
	*g = (struct guest){.nonce = now.tv_sec % 100000 * 1000 + now.tv_nsec / 1000000};
	g->tick_ms = (int)option("tick", 300);
	g->ndisks = (int)option("disks", 1);
	if (g->ndisks > DISKS_MAX || posix_memalign((void **)&g->block, BLOCK, BLOCK))
		abort();
	for (int n = 0; n < g->ndisks; n++)
		g->disks[n] = open_disk(n);
	size_t dirty = (size_t)option("dirty", 0) << 20;
	if (dirty > 0 && posix_memalign((void **)&g->dirty, BLOCK, dirty))
		abort();
	g->ndirty = dirty / BLOCK;
	g->count = found_on(g, 0);
	for (size_t page = 0; page < g->ndirty; page++)
		g->dirty[page * BLOCK / sizeof *g->dirty] = g->count;
	compare(g, "start ", g->count);
}

static void obey(const char *word)
{
	if (strncmp(word, "poweroff", 8) == 0)
		reboot(RB_POWER_OFF);
	else if (strncmp(word, "reboot", 6) == 0)
		reboot(RB_AUTOBOOT);
	else if (strncmp(word, "crash", 5) == 0)
		(void)!write(open("/proc/sysrq-trigger", O_WRONLY | O_CLOEXEC), "c", 1);
}

/* Waits until the next tick or until a command arrives. */
static void listen(const struct guest *g)
{
	char line[64] = "";
	struct pollfd console = {.fd = 0, .events = POLLIN};
	if (poll(&console, 1, g->tick_ms) == 1 && read(0, line, sizeof line - 1) > 0)
		obey(line);
}

int main(int argc, char **argv)
{
	const char *name = strrchr(argv[0], '/');
	if (argc > 0 && getpid() != 1) {
		obey(name ? name + 1 : argv[0]);
		return 1;
	}
	struct guest guest;
	prepare();
	start(&guest);
	for (;;) {
		tick(&guest);
		listen(&guest);
	}
}
