/* broker_store.h - what a plugin keeps: JSON values by key, per plugin and org.
 *
 * A key is 1 to STORE_MAX_KEY_BYTES of UTF-8 without control characters. It is a field
 * of Redis structures that are named by plugin and org alone, never a part of a Redis
 * key, so that no text in it can reach what belongs to another: "..", "*", "{", ":" are
 * characters like any other.
 *
 *   mh:{p:<plugin>}:values:<org>   hash of key to JSON text, and of "" to the bytes of all
 *   mh:{p:<plugin>}:names:<org>    sorted set of the keys
 *   mh:{p:<plugin>}:ends:<org>     sorted set of the keys that have an end, by it in ms
 *   mh:{p:<plugin>}:orgs           set of the orgs above
 *
 * <org> is that of the event; empty in setup, which has none. Each request is one call of
 * core/redis/store.lua, and so atomic among all engines; it holds the quota exactly
 * (limits.store_keys, limits.store_kb) and goes by Redis's clock. Values are kept in one
 * canonical form, so that equal values are equal texts, which is what cas() compares. A
 * secret's token is kept as the text that it is, and stands for nothing after the next
 * start of its plugin. */
#pragma once

#include "core/broker.h"

enum {
    STORE_MAX_KEY_BYTES = 200,
    STORE_MAX_VALUE_BYTES = 64 * 1024,
    STORE_MAX_LIST = 1000,
};
static const int64_t STORE_MAX_LIVE_MS = 10LL * 366 * 24 * 3600 * 1000;
static const int64_t STORE_MAX_NUMBER = (1LL << 53) - 1;

struct broker_store_call {
    const struct store_row *row;
    const char *key;                        /* of list: the one after which to begin, or "" */
    const char *prefix;                     /* of list */
    char       *value, *expected;           /* canonical JSON; expected NULL: none */
    size_t      value_bytes, expected_bytes;
    int64_t     by, live_ms, limit;
};

/* Borrows `head` for as long as *out lives. MH_INVALID or MH_TOO_LARGE with a sentence
 * (static) in *why. *out is to be deinitialised in any case. */
MH_MUST_USE enum mh_err broker_store_prepare(const json_t *head, const struct frame *frame,
                                             struct broker_store_call *out, const char **why);
void broker_store_deinit(struct broker_store_call *c);

/* Removes all that `plugin` keeps. `done` comes once, not inside: MH_OK or MH_UNAVAILABLE. */
typedef void broker_forgotten(void *arg, enum mh_err err);
void broker_store_forget(struct broker *b, const char *plugin, broker_forgotten *done, void *arg);
