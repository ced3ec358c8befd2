/* store.h - what operators configured, in Redis: API keys, webhooks, plugins.
 *
 * One hash per kind, "mh:{c}:<kind>", id to JSON. Secrets in it are sealed by the
 * vault before they come here. Each engine holds it all in memory and writes
 * through; what Redis did not confirm did not happen. "mh:{c}:shards" is
 * queue_layout.h's.
 *
 * Several engines agree by "mh:{c}:changes": what changed, by revision. Each looks for
 * revisions that it has not seen five times a second (STORE_LOOK_MS) and is told the
 * entries. A change says which revision of its entry it is based on, and is refused where
 * that is not the newest: no engine writes over what it has not read. A change is answered
 * when every engine that lives has seen it ("mh:{c}:seen"), or after STORE_AGREE_MS: whoever
 * made a webhook here may send an event there. */
#pragma once

#include "io/json.h"
#include "io/redis.h"

enum { STORE_LOOK_MS = 200, STORE_AGREE_MS = 1500 };

struct store;

struct store *store_new(struct redis *redis, const char *prefix);
void          store_free(struct store *s);

/* What a change is based on: the entry's revision as it was read, or one of these. */
enum { STORE_NEW = 0, STORE_ANY = -1 };     /* there is no such entry; whatever there is */

/* It is in Redis under `revision`; other engines may not have seen it yet. */
typedef void store_written(void *arg, int64_t revision);
/* MH_OK (then it is in Redis), MH_UNAVAILABLE, or MH_CONFLICT: another change came first;
 * the kind's follower was told the present entry just before. */
typedef void store_done(void *arg, enum mh_err err);

struct store_write {
    const char    *kind, *id;
    const json_t  *value;                   /* NULL: it is removed */
    int64_t        based_on;
    store_written *written;                 /* NULL: memory takes it over in `done` */
    store_done    *done;                    /* comes once, not inside */
    void          *arg;
};
void store_write(struct store *s, const struct store_write *w);     /* all borrowed for the call */

/* The same, based on whatever there is. */
void store_put(struct store *s, const char *kind, const char *id, const json_t *value,
               store_done *done, void *arg);
void store_remove(struct store *s, const char *kind, const char *id, store_done *done, void *arg);

/* What this engine noticed and others may want to know: an entry, or NULL for its end. Nobody
 * waits for it, and a loss is not made good. */
void store_tell(struct store *s, const char *kind, const char *id, const json_t *value);

/* Shows every entry of a kind (borrowed) to `each`, then `done`: MH_OK, or MH_UNAVAILABLE
 * and none was shown. A value that cannot be read is left out and logged: one broken entry
 * keeps nothing from starting. */
typedef void store_each(void *arg, const char *id, const json_t *value, int64_t revision);
void store_load(struct store *s, const char *kind, store_each *each, store_done *done, void *arg);

/* Shows every entry of a kind to `change`, some at a time; where that changes `value` and
 * returns true, the entry is replaced, unless somebody else wrote it meanwhile: such
 * entries are counted in `missed`. `done` comes once, not inside; err as above. What was
 * replaced before an error stays so. */
typedef bool store_change(void *arg, const char *id, json_t *value);
typedef void store_changed(void *arg, enum mh_err err, size_t changed, size_t missed);
void store_change_all(struct store *s, const char *kind, store_change *change,
                      store_changed *done, void *arg);

/* ---- What an entry leaves elsewhere --------------------------------------------------- */

/* What a plugin keeps is not in its entry, and may be on another Redis server: it cannot be removed
 * with it. So the removal of the entry leaves a note ("mh:{c}:left:<kind>"), whose engine is to forget
 * the rest and then to drop the note; it is taken from one that is gone. Whoever is about to store an
 * entry of that id takes the note first, or makes one; storing the entry drops it. So there is a note
 * whenever there may be something without an entry, and one engine at most is at it. Of "plugins" only. */
enum { STORE_NOTES_AT_ONCE = 16, STORE_ENGINE_GONE_MS = 5000 };

/* `done` comes once, not inside. On MH_OK: `left` says that there is something to be forgotten before
 * the entry is stored. MH_CONFLICT: another engine is at it. MH_UNAVAILABLE. */
typedef void store_note_taken(void *arg, enum mh_err err, bool left);
void store_note_take(struct store *s, const char *kind, const char *id, store_note_taken *done, void *arg);

/* Takes those of engines that are gone, and its own of long ago, STORE_NOTES_AT_ONCE at most. `ids`:
 * borrowed array of strings; NULL unless MH_OK. */
typedef void store_notes_taken(void *arg, enum mh_err err, const json_t *ids);
void store_notes_take(struct store *s, const char *kind, store_notes_taken *done, void *arg);

/* It is forgotten. */
void store_note_drop(struct store *s, const char *kind, const char *id, store_done *done, void *arg);

/* ---- What other engines change ------------------------------------------------------ */

/* An entry is now `value` (borrowed), or removed: NULL. It may be what it was, or this
 * engine's own, or newer than `revision`: it is told again then. False: not now, tell me
 * again. */
typedef bool store_heard(void *arg, const char *id, const json_t *value, int64_t revision);
struct store_follower { const char *kind; store_heard *heard; void *arg; };

/* Notes the present revision; what is loaded after this is as new, or newer. */
void store_begin(struct store *s, store_done *done, void *arg);

/* From now on. `followers` end with a NULL kind; borrowed until store_unfollow(), which
 * comes before the loop ends. May be called again: it changes nothing then. */
void store_follow(struct store *s, uv_loop_t *loop, const struct store_follower *followers);
void store_unfollow(struct store *s);
