/* replay.h - sending an org's events of a time window to one target again: the failed,
 * the missing, or all.
 *
 * A replay is a job in Redis, done page by page by the engine that owns it; it goes on
 * elsewhere when that engine dies, and where it was when Redis comes back. Invariant I9
 * (queue.h): a step makes what it chose due and moves the job's place, both or nothing, so
 * that a kill at any moment neither skips nor repeats. Its pace is `rate` deliveries a
 * second; it holds while the backlog is half full or its target is not active. A dry run
 * takes the same steps, which then only count.
 *
 * A replay is in its org's shard, and so is all that it reads and makes due. Its id is chosen
 * so that queues_of() finds that shard by it as it does by the org.
 *
 * In Redis:  mh:{q}:replay:<id>       hash: the job
 *            mh:{q}:replays:open      hash of running ones: id to <org>/<target>
 *            mh:{q}:replays:<org>/    sorted set of ids by creation: the org's list */
#pragma once

#include "core/queues.h"

enum { REPLAY_MAX_RATE = 10000, REPLAY_MAX_LISTED = 200,
       REPLAY_MAX_OPEN = 100 };             /* per shard */

struct replays;

struct replays *replays_new(uv_loop_t *loop, struct queues *qs, struct dispatch *dispatch);
void            replays_stop(struct replays *rs);       /* takes no further step */
void            replays_free(struct replays *rs);

struct replay_spec {                        /* borrowed during the call */
    const char          *org;
    const struct target *target;
    int64_t              since_ms;          /* taken in */
    int64_t              until_ms;          /* left out; 0: now */
    const char          *only;              /* "failed", "missing", "all" */
    bool                 dry_run;
    int64_t              rate;              /* deliveries a second, up to REPLAY_MAX_RATE */
};
bool replay_only_valid(const char *only);

/* `answer` (borrowed) on MH_OK, {"id","status","target","org_id","since","until","only",
 * "dry_run","rate","total","looked","matched","enqueued","skipped","next","held","reason",
 * "created_at","ended_at"}; else NULL, but for MH_CONFLICT: {"detail"}. */
typedef void replays_done(void *arg, enum mh_err err, json_t *answer);

/* Of a dry run, `done` comes when it has ended, or after a few seconds with how far it is.
 * MH_BUSY: too many are open. */
void replays_create(struct replays *rs, const struct replay_spec *spec, replays_done *done,
                    void *arg);
/* `org` NULL: any. MH_NOT_FOUND. */
void replays_read(struct replays *rs, const char *org, const char *id, replays_done *done,
                  void *arg);
/* {"items":[newest first],"next":null} */
void replays_list(struct replays *rs, const char *org, replays_done *done, void *arg);
/* MH_CONFLICT: it has ended. */
void replays_cancel(struct replays *rs, const char *org, const char *id, replays_done *done,
                    void *arg);
