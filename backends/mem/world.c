/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "world.h"

#include "base/cleanup.h"
#include "base/err.h"
#include "backends/common/shared.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>

#define NODE_BYTES (SF_MEM_FANOUT * sizeof(uint32_t))
/* Bytes that one second-level node covers. */
#define LEAF_BYTES ((uint64_t)SF_MEM_FANOUT * SF_MEM_CHUNK)
/* Above this, the process would run out of address space. */
#define WORLD_MAX (16ULL << 40)
/*
 * Each new node comes with a new chunk below it, so two per chunk suffice. The spare ones replace those that
 * killed processes leaked.
 */
#define SPARE_NODES 1024

enum { CHUNK, LEAF, ROOT };

static struct sf_mem_pool *pool_of(struct sf_mem_world *world, int level)
{
	return level == CHUNK ? &world->chunks : &world->nodes;
}

static char *unit_at(const struct sf_mem_pool *pool, uint32_t index)
{
	return pool->base + (size_t)(index - 1) * pool->unit;
}

static _Atomic uint32_t *entries(struct sf_mem_world *world, uint32_t node)
{
	return (_Atomic uint32_t *)(void *)unit_at(&world->nodes, node);
}

/* --- Allocating and freeing --- */

static int take(struct sf_mem_pool *pool, uint32_t *ret, struct sf_err *err)
{
	uint32_t index = pool->hint;

	if (pool->used == pool->count)
		return sf_fail(err, -ENOSPC, "mem: all %u pieces of %zu bytes are in use", pool->count,
			       pool->unit);
	while (pool->refs[index - 1] > 0)
		index++;
	pool->refs[index - 1] = 1;
	pool->hint = index + 1;
	pool->used++;
	*ret = index;
	return 0;
}

static void give_back(struct sf_mem_pool *pool, uint32_t index)
{
	pool->used--;
	if (index < pool->hint)
		pool->hint = index;
	/* Returns the memory to the system. Failure is harmless: the next owner clears it. */
	(void)madvise(unit_at(pool, index), pool->unit, MADV_REMOVE);
}

static void drop(struct sf_mem_world *world, int level, uint32_t index)
{
	struct sf_mem_pool *pool = pool_of(world, level);

	if (index == 0 || --pool->refs[index - 1] > 0)
		return;
	for (size_t i = 0; level > CHUNK && i < SF_MEM_FANOUT; i++)
		drop(world, level - 1, entries(world, index)[i]);
	give_back(pool, index);
}

static void add_refs_below(struct sf_mem_world *world, int level, uint32_t node)
{
	struct sf_mem_pool *below = pool_of(world, level - 1);

	for (size_t i = 0; i < SF_MEM_FANOUT; i++) {
		uint32_t index = entries(world, node)[i];

		if (index > 0)
			below->refs[index - 1]++;
	}
}

/* Makes *slot refer to a unit with the same content and no other reference. */
static int own(struct sf_mem_world *world, int level, _Atomic uint32_t *slot, struct sf_err *err)
{
	struct sf_mem_pool *pool = pool_of(world, level);
	uint32_t old = *slot, fresh = 0;
	int rc;

	if (old > 0 && pool->refs[old - 1] == 1)
		return 0;
	rc = take(pool, &fresh, err);
	if (rc < 0)
		return rc;
	if (old > 0)
		memcpy(unit_at(pool, fresh), unit_at(pool, old), pool->unit);
	else
		memset(unit_at(pool, fresh), 0, pool->unit);
	if (level > CHUNK)
		add_refs_below(world, level, fresh);
	*slot = fresh;
	if (old > 0)
		pool->refs[old - 1]--;
	return 0;
}

/* --- Walking --- */

static uint32_t child(struct sf_mem_world *world, uint32_t node, uint64_t index)
{
	if (node == 0 || node > world->nodes.count)
		return 0;
	return entries(world, node)[index];
}

static uint32_t chunk_at(struct sf_mem_world *world, uint32_t root, uint64_t off)
{
	uint32_t leaf = child(world, root, off / LEAF_BYTES);
	uint32_t chunk = child(world, leaf, off / SF_MEM_CHUNK % SF_MEM_FANOUT);

	return chunk <= world->chunks.count ? chunk : 0;
}

static size_t within_chunk(uint64_t off, size_t len)
{
	size_t room = SF_MEM_CHUNK - (size_t)(off % SF_MEM_CHUNK);

	return len < room ? len : room;
}

void sf_mem_tree_read(struct sf_mem_world *world, uint32_t root, char *buf, size_t len, uint64_t off)
{
	while (len > 0) {
		size_t n = within_chunk(off, len);
		uint32_t chunk = chunk_at(world, root, off);

		if (chunk > 0)
			memcpy(buf, unit_at(&world->chunks, chunk) + off % SF_MEM_CHUNK, n);
		else
			memset(buf, 0, n);
		buf += n;
		off += n;
		len -= n;
	}
}

void sf_mem_tree_extent(struct sf_mem_world *world, uint32_t root, uint64_t size_bytes, uint64_t off,
			struct sf_extent *ret)
{
	uint64_t leaf_end = (off / LEAF_BYTES + 1) * LEAF_BYTES;
	uint64_t limit = leaf_end < size_bytes ? leaf_end : size_bytes;
	uint64_t end = (off / SF_MEM_CHUNK + 1) * SF_MEM_CHUNK;
	bool data = chunk_at(world, root, off) > 0;

	while (end < limit && (chunk_at(world, root, end) > 0) == data)
		end += SF_MEM_CHUNK;
	*ret = (struct sf_extent){.off = off, .len = (end < limit ? end : limit) - off, .data = data};
}

/* --- Changing --- */

static bool alone(const struct sf_mem_pool *pool, uint32_t index)
{
	return index > 0 && pool->refs[index - 1] == 1;
}

/* Whether a write at off needs no new chunk. */
static bool owned(struct sf_mem_world *world, const struct sf_mem_tree *tree, uint64_t off)
{
	uint32_t leaf = child(world, tree->root, off / LEAF_BYTES);

	return alone(&world->nodes, tree->root) && alone(&world->nodes, leaf) &&
	       alone(&world->chunks, chunk_at(world, tree->root, off));
}

static int own_chunk(struct sf_mem_world *world, struct sf_mem_tree *tree, uint64_t off, char **ret,
		     struct sf_err *err)
{
	const struct sf_mem_pool *chunks = &world->chunks;
	bool fresh = chunk_at(world, tree->root, off) == 0;
	_Atomic uint32_t *leaf, *chunk;
	int rc;

	if (chunks->used == chunks->count && !owned(world, tree, off))
		return sf_fail(err, -ENOSPC, "mem: all %llu bytes are in use",
			       (unsigned long long)chunks->count * SF_MEM_CHUNK);
	rc = own(world, ROOT, &tree->root, err);
	if (rc < 0)
		return rc;
	leaf = &entries(world, tree->root)[off / LEAF_BYTES];
	rc = own(world, LEAF, leaf, err);
	if (rc < 0)
		return rc;
	chunk = &entries(world, *leaf)[off / SF_MEM_CHUNK % SF_MEM_FANOUT];
	rc = own(world, CHUNK, chunk, err);
	if (rc < 0)
		return rc;
	tree->nchunks += fresh;
	*ret = unit_at(chunks, *chunk);
	return 0;
}

int sf_mem_tree_write(struct sf_mem_world *world, struct sf_mem_tree *tree, const char *buf, size_t len,
		      uint64_t off, struct sf_err *err)
{
	while (len > 0) {
		size_t n = within_chunk(off, len);
		char *chunk = NULL;
		int rc = own_chunk(world, tree, off, &chunk, err);

		if (rc < 0)
			return rc;
		memcpy(chunk + off % SF_MEM_CHUNK, buf, n);
		buf += n;
		off += n;
		len -= n;
	}
	return 0;
}

void sf_mem_tree_share(struct sf_mem_world *world, const struct sf_mem_tree *from, struct sf_mem_tree *to)
{
	uint32_t old = to->root, root = from->root;

	if (root > 0)
		world->nodes.refs[root - 1]++;
	to->root = root;
	to->nchunks = from->nchunks;
	drop(world, ROOT, old);
}

void sf_mem_tree_drop(struct sf_mem_world *world, struct sf_mem_tree *tree)
{
	uint32_t old = tree->root;

	tree->root = 0;
	tree->nchunks = 0;
	drop(world, ROOT, old);
}

/* --- Recovery after a process died under the lock --- */

static void count_refs(struct sf_mem_world *world, int level, uint32_t index)
{
	struct sf_mem_pool *pool = pool_of(world, level);

	if (index == 0 || pool->refs[index - 1]++ > 0)
		return;
	pool->used++;
	for (size_t i = 0; level > CHUNK && i < SF_MEM_FANOUT; i++)
		count_refs(world, level - 1, entries(world, index)[i]);
}

static uint32_t count_chunks(struct sf_mem_world *world, uint32_t root)
{
	uint32_t n = 0;

	for (uint64_t i = 0; i < SF_MEM_FANOUT; i++) {
		uint32_t leaf = child(world, root, i);

		for (uint64_t k = 0; leaf > 0 && k < SF_MEM_FANOUT; k++)
			n += child(world, leaf, k) > 0;
	}
	return n;
}

static void forget_refs(struct sf_mem_pool *pool)
{
	memset(pool->refs, 0, pool->count * sizeof(*pool->refs));
	pool->used = 0;
	pool->hint = 1;
}

static void count_tree(struct sf_mem_world *world, struct sf_mem_tree *tree, bool used)
{
	if (!used)
		tree->root = 0;
	count_refs(world, ROOT, tree->root);
	tree->nchunks = count_chunks(world, tree->root);
}

static void recount(void *arg)
{
	struct sf_mem_world *world = arg;

	forget_refs(&world->chunks);
	forget_refs(&world->nodes);
	for (uint32_t i = 0; i < world->nvolumes; i++)
		count_tree(world, &world->volumes[i].tree, world->volumes[i].used);
	for (uint32_t i = 0; i < world->nobjects; i++)
		count_tree(world, &world->objects[i].tree, world->objects[i].used);
}

pthread_mutex_t *sf_mem_lock(struct sf_mem_world *world)
{
	return sf_shared_lock(&world->lock, recount, world);
}

/* --- The world --- */

static size_t round_up(size_t n)
{
	return (n + SF_MEM_CHUNK - 1) / SF_MEM_CHUNK * SF_MEM_CHUNK;
}

static size_t pool_bytes(uint32_t count, size_t unit)
{
	return round_up(count * sizeof(uint32_t)) + round_up(count * unit);
}

static char *pool_init(struct sf_mem_pool *pool, uint32_t count, size_t unit, char *at)
{
	pool->count = count;
	pool->hint = 1;
	pool->refs = (uint32_t *)(void *)at;
	pool->base = at + round_up(count * sizeof(uint32_t));
	pool->unit = unit;
	return at + pool_bytes(count, unit);
}

int sf_mem_world_new(unsigned long long max_bytes, struct sf_mem_world **ret, struct sf_err *err)
{
	uint32_t nchunks, nnodes;
	struct sf_mem_world *world;
	size_t bytes;
	int rc;

	if (max_bytes < SF_MEM_CHUNK || max_bytes > WORLD_MAX)
		return sf_fail(err, -EINVAL, "mem: %llu bytes are not between one chunk of %d and %llu",
			       max_bytes, SF_MEM_CHUNK, WORLD_MAX);
	nchunks = (uint32_t)(max_bytes / SF_MEM_CHUNK);
	nnodes = 2 * nchunks + SPARE_NODES;
	bytes = round_up(sizeof(*world)) + pool_bytes(nchunks, SF_MEM_CHUNK) + pool_bytes(nnodes, NODE_BYTES);
	world = sf_shared_new(bytes, "mem", err);
	if (!world)
		return -ENOMEM;
	world->map_bytes = bytes;
	(void)pool_init(
		&world->nodes, nnodes, NODE_BYTES,
		pool_init(&world->chunks, nchunks, SF_MEM_CHUNK, (char *)world + round_up(sizeof(*world))));
	rc = sf_shared_mutex_init(&world->lock, err);
	if (rc < 0) {
		sf_shared_free(world, bytes);
		return rc;
	}
	*ret = world;
	return 0;
}

void sf_mem_world_free(struct sf_mem_world *world)
{
	if (world)
		sf_shared_free(world, world->map_bytes);
}
