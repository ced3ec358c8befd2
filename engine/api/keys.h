/* keys.h - API keys: who may call, for which org, and what.
 *
 * A key is "mh_" + 43 characters of randomness, shown once. Redis and memory hold
 * its SHA-256 only. The first start writes an admin key to DATA/admin.token (0600);
 * a later start makes sure that it is still known. */
#pragma once

#include "base/map.h"
#include "core/event.h"
#include "core/store.h"

#define API_SCOPES(X)         /* scope, what it allows */                                          \
    X("admin",          "everything, for every org")                                               \
    X("events:write",   "send events")                                                             \
    X("events:read",    "read events and deliveries")                                              \
    X("webhooks:write", "create, change, test and remove webhooks; retry deliveries")              \
    X("webhooks:read",  "read webhooks and deliveries")                                            \
    X("plugins:write",  "install, configure, reload and remove plugins, which serve every org")    \
    X("plugins:read",   "read plugins, their logs and metrics, of every org's events")                \
    X("keys:write",     "create, list and revoke the org's keys")

enum { API_KEY_BYTES = 64, API_MAX_SCOPES = 16 };

struct api_key {
    unsigned refs;                          /* the registry's, and one per call under way */
    char    hash[65];                       /* hex SHA-256: its name in the map */
    char    id[MH_ID_BYTES], org[EVENT_ORG_BYTES];
    bool    admin;
    json_t *json;                           /* {"id","org_id","name","scopes","created_at"} */
    int64_t last_used_ms;
};

struct keys;

struct keys *keys_new(struct store *store);
void         keys_free(struct keys *ks);
/* Loads them, then sees to the admin key of `data_dir`. */
void keys_load(struct keys *ks, const char *data_dir, store_done *done, void *arg);
store_heard  keys_heard;                    /* of "keys", with the keys as its arg */

/* The key of "Bearer mh_..."; NULL if the header is missing or the key not known. The
 * caller gets a reference: a key may be revoked while a call of it is under way. */
struct api_key *keys_find(struct keys *ks, const char *authorization);
void            key_unref(struct api_key *k);       /* NULL is fine */
bool            key_allows(const struct api_key *k, const char *scope);

/* `answer` (borrowed): the new key with "key" in it. */
typedef void keys_done(void *arg, enum mh_err err, json_t *answer);
void keys_create(struct keys *ks, const char *org, const char *name, const json_t *scopes,
                 keys_done *done, void *arg);
/* MH_NOT_FOUND if this org (NULL: any) has no key of this id; an org (not NULL) has
 * no say over admin keys. */
void keys_revoke(struct keys *ks, const char *org, const char *id, keys_done *done, void *arg);
json_t *keys_describe(const struct keys *ks, const char *org);      /* array; caller owns */

bool keys_scope_known(const char *scope);
