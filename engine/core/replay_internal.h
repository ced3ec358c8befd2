/* replay_internal.h - what replay.c (the walk) and replay_jobs.c (asking for one, reading,
 * cancelling) share. */
#pragma once

#include "core/dispatch.h"
#include "core/queue_internal.h"
#include "core/replay.h"

enum replay_script { REPLAY_CREATE, REPLAY_TAKE, REPLAY_STEP, REPLAY_END, REPLAY_SCRIPTS };

struct replays {
    uv_loop_t          *loop;
    struct queue       *queue;
    struct dispatch    *dispatch;
    struct redis_script scripts[REPLAY_SCRIPTS];
    struct timer        take;               /* looks for jobs to do */
    bool                taking, stopped;
    bool                again;              /* look once more when this look is over */
    struct map          running;            /* by id: struct walk */
    struct list         asking;             /* dry runs that somebody waits for */
};

void replay_look(struct replays *rs);               /* for jobs, now */
void replay_answer_all(struct replays *rs);         /* who waits for a dry run gets to know */

/* Ends the job, or lets go of it ("let go"), if it is still this engine's. */
void replay_end(struct replays *rs, const char *id, const char *state, const char *why);

/* A hash as HGETALL gives it: object of text. The caller owns it; NULL when it is empty. */
json_t *replay_fields(const redisReply *reply);
int64_t replay_number(const json_t *fields, const char *name);
