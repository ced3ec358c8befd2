/* redis_slots.h - which of a Redis Cluster's slots a key belongs to. Pure.
 * As https://redis.io/docs/reference/cluster-spec/ says. */
#pragma once

#include <stddef.h>

enum { REDIS_SLOTS = 16384, REDIS_NO_SLOT = -1 };

/* Of "{tag}" in the key where there is one that is not empty, else of the whole key. */
int redis_key_slot(const char *key, size_t bytes);

/* Of a command's first key; `text` is the command in Redis's protocol, as we wrote it.
 * REDIS_NO_SLOT where it has none. */
int redis_command_slot(const char *text, size_t bytes);
