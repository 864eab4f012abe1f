/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Fuzzes the protocol between daemon and Xen helper, as it comes out of a socket in pieces, some of them with
 * descriptors: all lines arrive and no others, no descriptor leaks, and what either parser accepts is
 * formatted so that it parses to the same. Also fuzzes the header of a file of saved RAM.
 */
#include "backends/xen/saved_file.h"
#include "backends/common/helper/link.h"
#include "backends/common/helper/wire.h"

#include "base/cleanup.h"
#include "base/err.h"

#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#define PIECE_MAX 64
#define FDS_MAX   3

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool condition)
{
	if (!condition)
		abort();
}

static void require_one_line(const char *line, size_t len)
{
	require(line && strlen(line) == len && strchr(line, '\n') == line + len - 1);
}

static void check_request(const char *line, size_t len)
{
	struct sf_helper_request first, second;
	auto_free char *again = NULL;
	struct sf_err err = {0};
	size_t again_len;

	if (sf_helper_request_parse(line, len, &first, &err) < 0) {
		require(strncmp(err.text, "a line between snapfs", 21) == 0);
		return;
	}
	again = sf_helper_request_format(&first, &again_len);
	require_one_line(again, again_len);
	require(sf_helper_request_parse(again, again_len - 1, &second, NULL) == 0);
	require(first.op == second.op && first.live == second.live && strcmp(first.name, second.name) == 0 &&
		strcmp(first.uuid, second.uuid) == 0 && strcmp(first.to, second.to) == 0 &&
		strcmp(first.configs, second.configs) == 0);
	require(!*first.name || sf_name_check(first.name, NULL) == 0);
	require(!*first.to || sf_name_check(first.to, NULL) == 0);
}

static bool same_desc(const struct sf_vm_desc *a, const struct sf_vm_desc *b)
{
	bool whole = memchr(a->name, '\0', sizeof(a->name)) != NULL; /* truncated names may change again */

	if ((whole && strcmp(a->name, b->name) != 0) || strcmp(a->uuid, b->uuid) != 0 ||
	    a->memory_bytes != b->memory_bytes || a->ndisks != b->ndisks || a->nleft_out != b->nleft_out)
		return false;
	require(a->ndisks <= SF_VM_DISKS_MAX && a->nleft_out <= SF_VM_DISKS_MAX);
	for (size_t i = 0; i < a->ndisks; i++)
		if (strcmp(a->disks[i].vdev, b->disks[i].vdev) != 0 ||
		    strcmp(a->disks[i].spec, b->disks[i].spec) != 0)
			return false;
	for (size_t i = 0; i < a->nleft_out; i++)
		if (strcmp(a->left_out[i].vdev, b->left_out[i].vdev) != 0 ||
		    strcmp(a->left_out[i].reason, b->left_out[i].reason) != 0 ||
		    a->left_out[i].writable != b->left_out[i].writable)
			return false;
	return true;
}

static bool same_reply(const struct sf_helper_reply *a, const struct sf_helper_reply *b)
{
	if (a->kind != b->kind || a->error != b->error || strcmp(a->text, b->text) != 0 ||
	    a->protocol != b->protocol || strcmp(a->version, b->version) != 0 ||
	    strcmp(a->host, b->host) != 0 || a->power != b->power || a->nvms != b->nvms)
		return false;
	for (size_t i = 0; i < a->nvms; i++)
		if (!same_desc(&a->vms[i].desc, &b->vms[i].desc) ||
		    strcmp(a->vms[i].config, b->vms[i].config) != 0)
			return false;
	return true;
}

static void check_reply(const char *line, size_t len)
{
	struct sf_helper_reply first, second;
	auto_free char *again = NULL;
	struct sf_err err = {0};
	size_t again_len;

	if (sf_helper_reply_parse(line, len, &first, &err) < 0) {
		require(strncmp(err.text, "a line between snapfs", 21) == 0);
		return;
	}
	require(first.kind == SF_HELPER_FAILURE ? first.error < 0 && first.error >= -4095 : first.error == 0);
	again = sf_helper_reply_format(&first, &again_len);
	require_one_line(again, again_len);
	require(sf_helper_reply_parse(again, again_len - 1, &second, NULL) == 0);
	require(same_reply(&first, &second));
	sf_helper_reply_fini(&first);
	sf_helper_reply_fini(&second);
}

/* Sends a piece with nfds copies of the socket itself. */
static void send_piece(int to, const uint8_t *data, size_t size, size_t nfds)
{
	char control[CMSG_SPACE(FDS_MAX * sizeof(int))] = {0};
	struct iovec part = {.iov_base = (void *)(uintptr_t)data, .iov_len = size};
	struct msghdr msg = {.msg_iov = &part, .msg_iovlen = 1};
	struct cmsghdr *head;

	if (nfds > 0) {
		msg.msg_control = control;
		msg.msg_controllen = CMSG_SPACE(nfds * sizeof(int));
		head = CMSG_FIRSTHDR(&msg);
		head->cmsg_level = SOL_SOCKET;
		head->cmsg_type = SCM_RIGHTS;
		head->cmsg_len = CMSG_LEN(nfds * sizeof(int));
		for (size_t i = 0; i < nfds; i++)
			memcpy(CMSG_DATA(head) + i * sizeof(int), &to, sizeof(int));
	}
	require(sendmsg(to, &msg, 0) == (ssize_t)size);
}

/*
 * Takes all lines that have arrived. They must be the next ones in the data. Returns the offset behind them.
 */
static size_t take_lines(struct sf_helper_link *link, const uint8_t *data, size_t at, size_t sent)
{
	size_t len;
	char *line;

	while (sf_helper_link_next(link, 0, &line, &len, NULL) == 1) {
		require(len < sent - at && line[len] == '\0');
		require(memcmp(line, data + at, len) == 0 && data[at + len] == '\n' &&
			!memchr(line, '\n', len));
		check_request(line, len);
		check_reply(line, len);
		at += len + 1;
	}
	return at;
}

static void check_link(const uint8_t *data, size_t size)
{
	size_t sent = 0, at = 0, left;
	struct sf_helper_link link;
	int ends[2];

	require(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) == 0);
	sf_helper_link_init(&link, ends[0]);
	while (sent < size) {
		size_t some = 1 + data[sent] % PIECE_MAX;

		if (some > size - sent)
			some = size - sent;
		send_piece(ends[1], data + sent, some, data[sent] / PIECE_MAX);
		sent += some;
		at = take_lines(&link, data, at, sent);
		left = sent - at;
		require(left == 0 || !memchr(data + at, '\n', left));
	}
	close(ends[1]);
	sf_helper_link_fini(&link);
}

static void check_file(const uint8_t *data, size_t size)
{
	auto_fd int fd = memfd_create("ram", MFD_CLOEXEC);
	char name[SF_NAME_MAX + 1];

	require(fd >= 0 && write(fd, data, size) == (ssize_t)size);
	if (sf_xl_saved_name(fd, name, NULL) == 0)
		require(memchr(name, '\0', sizeof(name)) != NULL);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	int lowest = dup(0), after;

	close(lowest);
	check_link(data, size);
	check_file(data, size);
	after = dup(0);
	require(after == lowest); /* no descriptor has leaked */
	close(after);
	return 0;
}
