/* rotation.h - changes the master key: every stored secret is sealed anew.
 *
 * R1  The key file loses the former key only after a pass over all that is stored
 *     found nothing under it, and that is on the disk.
 * R2  Whatever dies in the middle, both keys are in the file (vault.h), and the next
 *     start or call does the rest.
 * R3  What else is written meanwhile is not lost: an entry is replaced only if it is
 *     what was read, and what the engine writes is under the new key from the first
 *     moment on.
 *
 * Redis's append-only file still holds what was written before. The engine's own Redis
 * is told to write it anew before the former key goes, so that an old copy of the key
 * opens nothing of today's disk; another Redis is its operator's. */
#pragma once

#include "core/queues.h"
#include "core/store.h"
#include "core/vault.h"

struct rotation;

/* A kind of store.h with sealed texts in it, and what each is sealed about: `field` is
 * the name of the nearest object member that holds it. */
struct rotation_kind {
    const char *kind;
    void (*about)(const char *id, const char *field, char out[VAULT_ABOUT_BYTES]);
};

struct rotation_spec {
    uv_loop_t                  *loop;
    struct vault               *vault;
    struct store               *store;
    struct redis               *redis;
    const struct queues        *queues;     /* knows how many engines there are */
    const struct rotation_kind *kinds;      /* `kind` NULL at the end */
    bool                        own_redis;  /* its append-only file is written anew */
};

struct rotation *rotation_new(const struct rotation_spec *spec);
/* One under way is answered MH_UNAVAILABLE. Frees on a later turn of the loop. */
void rotation_free(struct rotation *r);

/* `answer` (borrowed): {"rotated":true,"secrets":N,"detail"?}; on an error {"detail"}. */
typedef void rotation_done(void *arg, enum mh_err err, json_t *answer);

/* Makes a new key (unless one is half in place, or the environment gives two) and seals
 * all under it. MH_CONFLICT while one is under way, when the environment gives one key
 * only, and where other engines live that would go on sealing under the key of a file
 * that they have read. May be called before it returns. */
void rotation_run(struct rotation *r, rotation_done *done, void *arg);
/* Goes on with what a crash interrupted, if there is such; the log tells how it ended. */
void rotation_resume(struct rotation *r);
