/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "ram.h"

#include "base/cleanup.h"
#include "base/err.h"
#include "base/io.h"
#include "sim.h"

#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define PAGE       4096
#define NPAGES     (SF_SIM_RAM / PAGE)
#define PAGE_WORDS (PAGE / sizeof(uint64_t))
/* Words at the start of each page that are derived from the tick. */
#define TICK_WORDS 8

static const char magic[8] = {'S', 'N', 'A', 'P', 'F', 'R', 'A', 'M'};

/* The finalizer of SplitMix64 (Steele, Lea, Flood: Fast Splittable Pseudorandom Number Generators, 2014). */
static uint64_t mix(uint64_t x)
{
	x += 0x9e3779b97f4a7c15U;
	x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9U;
	x = (x ^ x >> 27) * 0x94d049bb133111ebU;
	return x ^ x >> 31;
}

/* Makes each guest's RAM unique, and detects a damaged name. */
static uint64_t hash_name(const char *name)
{
	uint64_t hash = 0;

	for (; *name; name++)
		hash = mix(hash ^ (unsigned char)*name);
	return hash;
}

static void put_words(char *page, size_t first, size_t end, uint64_t seed)
{
	for (size_t i = first; i < end; i++) {
		uint64_t word = mix(seed + i);

		memcpy(page + i * sizeof(word), &word, sizeof(word));
	}
}

static void put_tick(char *page, size_t index, uint64_t tick)
{
	put_words(page, 0, TICK_WORDS, mix(tick) ^ index * PAGE_WORDS);
}

static void build_page(char *page, size_t index, const char *name, uint64_t tick)
{
	struct sf_sim_ram_header header = {.version = SF_SIM_RAM_VERSION, .tick = tick};

	if (index > 0) {
		put_tick(page, index, tick);
		put_words(page, TICK_WORDS, PAGE_WORDS, hash_name(name) ^ index * PAGE_WORDS);
		return;
	}
	memcpy(header.magic, magic, sizeof(magic));
	memcpy(header.name, name, strnlen(name, SF_NAME_MAX));
	memset(page, 0, PAGE);
	memcpy(page, &header, sizeof(header));
}

void sf_sim_ram_build(char *ram, const char *name, uint64_t tick)
{
	for (size_t i = 0; i < NPAGES; i++)
		build_page(ram + i * PAGE, i, name, tick);
}

void sf_sim_ram_advance(char *ram, uint64_t tick)
{
	memcpy(ram + offsetof(struct sf_sim_ram_header, tick), &tick, sizeof(tick));
	for (size_t i = 1; i < NPAGES; i++)
		put_tick(ram + i * PAGE, i, tick);
}

static int check(const char *ram, struct sf_err *err)
{
	struct sf_sim_ram_header header;
	char expected[PAGE];

	memcpy(&header, ram, sizeof(header));
	if (memcmp(header.magic, magic, sizeof(magic)) != 0 || header.version != SF_SIM_RAM_VERSION ||
	    !memchr(header.name, '\0', sizeof(header.name)))
		return sf_fail(err, -EINVAL, "this is not the RAM of a sim guest");
	for (size_t i = 0; i < NPAGES; i++) {
		build_page(expected, i, header.name, header.tick);
		if (memcmp(ram + i * PAGE, expected, PAGE) != 0)
			return sf_fail(err, -EINVAL, "page %zu of the RAM is not of tick %llu", i,
				       (unsigned long long)header.tick);
	}
	return 0;
}

static int read_all(int fd, char *ram, struct sf_err *err)
{
	ssize_t n = sf_pread_all(fd, ram, SF_SIM_RAM, 0);

	if (n < 0)
		return sf_fail(err, (int)n, "read a RAM image: %s", strerror((int)-n));
	if (n < SF_SIM_RAM)
		return sf_fail(err, -EINVAL, "the RAM image ends after %zd of %d bytes", n, SF_SIM_RAM);
	return 0;
}

int sf_sim_ram_load(int fd, char *ram, struct sf_err *err)
{
	struct stat st;
	int rc;

	if (fstat(fd, &st) < 0)
		return sf_fail(err, -errno, "read a RAM image: %s", strerror(errno));
	if (st.st_size > SF_SIM_RAM)
		return sf_fail(err, -EINVAL, "the RAM image has %lld bytes, not %d", (long long)st.st_size,
			       SF_SIM_RAM);
	rc = read_all(fd, ram, err);
	return rc < 0 ? rc : check(ram, err);
}

int sf_sim_check_ram(int fd, uint64_t *ret_tick, struct sf_err *err)
{
	auto_free char *ram = malloc(SF_SIM_RAM);
	struct sf_sim_ram_header header;
	int rc;

	if (!ram)
		return sf_fail(err, -ENOMEM, "check a RAM image: out of memory");
	rc = sf_sim_ram_load(fd, ram, err);
	if (rc < 0)
		return rc;
	memcpy(&header, ram, sizeof(header));
	*ret_tick = header.tick;
	return 0;
}
