/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "guest.h"

#include "base/err.h"
#include "base/log.h"
#include "core/contract/storage.h"
#include "ram.h"
#include "sim.h"

#include <endian.h>
#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#define SECTOR 512

static const char magic[8] = {'S', 'N', 'A', 'P', 'F', 'S', 'I', 'M'};

/* --- Disks --- */

static void close_disks(struct sf_volume **volumes, size_t n)
{
	while (n > 0)
		sf_volume_close(volumes[--n]);
}

static int open_disks(const struct sf_sim_machine *machine, struct sf_volume **volumes, struct sf_err *err)
{
	for (size_t i = 0; i < machine->ndisks; i++) {
		int rc = sf_volume_open(machine->storages, machine->guest->name, &machine->disks[i],
					&volumes[i], err);

		if (rc < 0) {
			close_disks(volumes, i);
			return rc;
		}
	}
	return 0;
}

/* A sector of zeros is a new disk: tick 0. Foreign data is refused. */
static int read_tick(const struct sf_sim_machine *machine, struct sf_volume *volume, uint64_t *ret,
		     struct sf_err *err)
{
	static const char zeros[SECTOR];
	struct sf_sim_sector sector;
	char raw[SECTOR];
	int rc = sf_volume_read(volume, raw, sizeof(raw), 0, err);

	if (rc < 0)
		return rc;
	memcpy(&sector, raw, sizeof(sector));
	if (memcmp(raw, zeros, sizeof(raw)) == 0) {
		*ret = 0;
		return 0;
	}
	if (memcmp(sector.magic, magic, sizeof(magic)) != 0 ||
	    strncmp(sector.name, machine->guest->name, sizeof(sector.name)) != 0)
		return sf_fail(err, -EINVAL, "%s holds data that the sim guest '%s' did not write",
			       volume->origin, machine->guest->name);
	*ret = le64toh(sector.tick);
	return 0;
}

static int write_tick(const struct sf_sim_machine *machine, struct sf_volume *volume, struct sf_err *err)
{
	struct sf_sim_sector sector = {.tick = htole64(machine->guest->tick)};
	char raw[SECTOR] = {0};

	memcpy(sector.magic, magic, sizeof(magic));
	memcpy(sector.name, machine->guest->name, sizeof(sector.name));
	memcpy(raw, &sector, sizeof(sector));
	return sf_volume_write(volume, raw, sizeof(raw), 0, err);
}

static struct sf_sim_file file_at(const char *path)
{
	struct stat st;

	if (stat(path, &st) < 0)
		return (struct sf_sim_file){0};
	return S_ISBLK(st.st_mode) ? (struct sf_sim_file){st.st_rdev, 0}
				   : (struct sf_sim_file){st.st_dev, st.st_ino};
}

void sf_sim_open_files(const struct sf_sim_machine *machine)
{
	for (size_t i = 0; i < machine->ndisks; i++)
		machine->guest->files[i] = file_at(machine->disks[i].spec);
}

int sf_sim_check_file(const struct sf_sim_machine *machine, const char *vdev, struct sf_err *err)
{
	for (size_t i = 0; i < machine->ndisks; i++) {
		const struct sf_sim_file *opened = &machine->guest->files[i];
		struct sf_sim_file now = file_at(machine->disks[i].spec);

		if (strcmp(machine->disks[i].vdev, vdev) != 0 || opened->dev == 0)
			continue;
		if (now.dev != 0 && (now.dev != opened->dev || now.ino != opened->ino))
			return sf_fail(err, -EBUSY,
				       "the guest has another file open than %s leads to: shut it down first",
				       machine->disks[i].spec);
	}
	return 0;
}

/* --- Running --- */

static int check_disks(const struct sf_sim_machine *machine, struct sf_volume **volumes, struct sf_err *err)
{
	const struct sf_sim_guest *guest = machine->guest;

	for (size_t i = 0; i < machine->ndisks; i++) {
		uint64_t tick = 0;
		int rc = read_tick(machine, volumes[i], &tick, err);

		if (rc < 0)
			return rc;
		if (tick != guest->tick)
			return sf_fail(err, -EIO, "its RAM is of tick %llu, its disk %s of tick %llu",
				       (unsigned long long)guest->tick, machine->disks[i].vdev,
				       (unsigned long long)tick);
	}
	return 0;
}

static int write_disks(const struct sf_sim_machine *machine, struct sf_volume **volumes, struct sf_err *err)
{
	int rc = 0;

	for (size_t i = 0; i < machine->ndisks && rc == 0; i++)
		rc = write_tick(machine, volumes[i], err);
	return rc;
}

static int tick_once(const struct sf_sim_machine *machine, struct sf_volume **volumes, struct sf_err *err)
{
	struct sf_sim_guest *guest = machine->guest;
	int rc = check_disks(machine, volumes, err);

	if (rc < 0)
		return rc;
	guest->mid_tick = true;
	guest->tick++;
	sf_sim_ram_advance(guest->ram, guest->tick);
	rc = write_disks(machine, volumes, err);
	guest->mid_tick = false;
	return rc;
}

static void crash(struct sf_sim_guest *guest, const struct sf_err *err)
{
	guest->power = SF_POWER_OFF;
	guest->crashed = true;
	sf_log(SF_LOG_WARNING, "sim guest '%s' crashes: %s", guest->name, err->text);
}

void sf_sim_run(const struct sf_sim_machine *machine, unsigned n)
{
	struct sf_volume *volumes[SF_VM_DISKS_MAX];
	struct sf_err err = {0};
	int rc;

	if (machine->guest->power != SF_POWER_RUNNING || machine->guest->frozen)
		return;
	rc = open_disks(machine, volumes, &err);
	if (rc == -ETIMEDOUT)
		return; /* a slow storage: guests wait for their disks */
	if (rc == 0) {
		while (rc == 0 && n-- > 0)
			rc = tick_once(machine, volumes, &err);
		close_disks(volumes, machine->ndisks);
	}
	if (rc < 0)
		crash(machine->guest, &err);
}

void sf_sim_finish_tick(const struct sf_sim_machine *machine)
{
	struct sf_volume *volumes[SF_VM_DISKS_MAX];
	struct sf_err err = {0};
	int rc;

	if (!machine->guest->mid_tick)
		return;
	sf_sim_ram_build(machine->guest->ram, machine->guest->name, machine->guest->tick);
	rc = open_disks(machine, volumes, &err);
	if (rc == 0) {
		rc = write_disks(machine, volumes, &err);
		close_disks(volumes, machine->ndisks);
	}
	machine->guest->mid_tick = false;
	if (rc < 0)
		crash(machine->guest, &err);
}

int sf_sim_boot(const struct sf_sim_machine *machine, bool paused, struct sf_err *err)
{
	struct sf_sim_guest *guest = machine->guest;
	struct sf_volume *volumes[SF_VM_DISKS_MAX];
	uint64_t tick = 0;
	int rc = open_disks(machine, volumes, err);

	if (rc < 0)
		return rc;
	if (machine->ndisks > 0)
		rc = read_tick(machine, volumes[0], &tick, err);
	close_disks(volumes, machine->ndisks);
	if (rc < 0)
		return rc;
	guest->tick = tick;
	sf_sim_ram_build(guest->ram, guest->name, tick);
	guest->crashed = false;
	guest->frozen = false;
	sf_sim_open_files(machine);
	guest->power = paused ? SF_POWER_PAUSED : SF_POWER_RUNNING;
	return 0;
}
