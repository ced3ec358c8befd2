/* store_internal.h - what store.c (reading and writing) and store_follow.c (what others
 * wrote) share. */
#pragma once

#include "base/id.h"
#include "core/command.h"
#include "core/store.h"

struct store {
    struct redis       *redis;
    const char         *prefix;
    char               *keys;               /* what its keys begin with: "mh:{c}" */
    char                engine[MH_ID_BYTES];    /* among those that look */
    struct redis_script put, load, replace, look_script, agree_script, note_take;
    int64_t             known;              /* revision up to which memory has seen all */
    const struct store_follower *followers; /* NULL while nobody is told */
    uv_loop_t          *loop;
    struct timer        look;
};

/* What the key of the notes of a kind is called; NULL for a kind that leaves nothing elsewhere. */
const char *store_notes_of(const char *kind);

/* This engine made that revision: not news, if it is the next. */
void store_own_revision(struct store *s, int64_t revision);
/* It is told to the caller only now; where memory was told newer ones meanwhile, it is to
 * be told them again. */
void store_late_revision(struct store *s, int64_t revision);

/* "mh:{c}:NAME" as the next argument. */
void store_key(const struct store *s, struct command *c, const char *name);

/* Tells who follows that kind of an entry's present text: nil, and then `removed` if it was
 * not merely lost. False: it is to be told again. */
bool store_show(const struct store *s, const char *kind, const char *id, const redisReply *text,
                bool removed, int64_t revision);

/* The value of a stored text; NULL for one that cannot be read, which is logged. */
json_t *store_parse(const char *kind, const char *id, const redisReply *text);
