/* replay_internal.h - what replay.c (the walk) and replay_jobs.c (asking for one, reading,
 * cancelling) share. */
#pragma once

#include "core/dispatch.h"
#include "core/queue_internal.h"
#include "core/replay.h"

enum replay_script { REPLAY_CREATE, REPLAY_TAKE, REPLAY_STEP, REPLAY_END, REPLAY_SCRIPTS };

struct replay_shard {
    struct replays     *owner;
    struct queue       *queue;
    struct timer        take;               /* looks for jobs to do */
    bool                taking;
    bool                again;              /* look once more when this look is over */
};

struct replays {
    uv_loop_t          *loop;
    struct queues      *queues;
    struct dispatch    *dispatch;
    struct redis_script scripts[REPLAY_SCRIPTS];
    struct replay_shard shards[QUEUE_MAX_SHARDS];
    size_t              shard_count, open_shards;
    bool                stopped;
    struct map          running;            /* by id: struct walk */
    struct list         asking;             /* dry runs that somebody waits for */
};

/* The shard of a replay of this id. */
struct queue *replay_queue(const struct replays *rs, const char *id);
void replay_look(struct replays *rs, const char *id);       /* for this job and others, now */
void replay_answer_all(struct replays *rs);         /* who waits for a dry run gets to know */

/* Ends the job, or lets go of it ("let go"), if it is still this engine's. */
void replay_end(struct replays *rs, const char *id, const char *state, const char *why);

/* A hash as HGETALL gives it: object of text. The caller owns it; NULL when it is empty. */
json_t *replay_fields(const redisReply *reply);
int64_t replay_number(const json_t *fields, const char *name);
