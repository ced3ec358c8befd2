/* queue_trim.c - forgetting: events past their age or number go, in steps so small that
 * nobody waits for one (I10, Q6). What Redis says of its memory comes along. */
#include "core/queue_internal.h"

#include "base/log.h"

enum { TRIM_MS = 2000, TRIM_AGAIN_MS = 10,  /* after a step that was full */
       TRIM_ENTRIES = 1000, REMEMBER_MS = 24 * 3600 * 1000 };

static int64_t integer_at(const redisReply *reply, size_t i)
{
    const redisReply *element = reply->element[i];
    return element->type == REDIS_REPLY_INTEGER ? (int64_t)element->integer : 0;
}

static void on_trimmed(void *arg, enum mh_err err, const redisReply *reply)
{
    static struct log_limit limit;
    struct queue *q = arg;
    char          text[256];
    bool          more = false;

    if (q->leaving)
        return;
    if (err == MH_OK && reply->type == REDIS_REPLY_ARRAY && reply->elements == 5) {
        more = integer_at(reply, 1) == 1;
        q->stored = integer_at(reply, 2);
        q->memory_bytes = integer_at(reply, 3);
        q->memory_max_bytes = integer_at(reply, 4);
    } else if (err == MH_IO && log_allowed(&limit)) {
        LOG_WARN("trim_failed", "redis=%s",
                 log_quote(reply && reply->str ? reply->str : "", text, sizeof text));
    }
    timer_start(&q->trim, more ? TRIM_AGAIN_MS : TRIM_MS);
}

void queue_trim(struct timer *trim)
{
    struct queue  *q = container_of(trim, struct queue, trim);
    struct command c;

    if (q->leaving)
        return;
    if (!q->joined) {
        timer_start(&q->trim, TRIM_MS);
        return;
    }
    command_init(&c);
    command_text(&c, "5");
    queue_key(q, &c, "due");
    queue_key(q, &c, "dead");
    queue_key(q, &c, "engines");
    queue_key(q, &c, "orgs");
    queue_key(q, &c, "stored");
    queue_key(q, &c, "");
    command_format(&c, "%lld", (long long)q->spec.keep_ms);
    command_format(&c, "%lld", (long long)q->spec.keep_events);
    command_format(&c, "%lld", (long long)q->spec.keep_dead);
    command_format(&c, "%d", TRIM_ENTRIES);
    command_format(&c, "%d", REMEMBER_MS);
    struct redis_args args = command_args(&c);
    redis_eval(q->spec.redis, &q->scripts[SCRIPT_TRIM], &args, on_trimmed, q);
    command_deinit(&c);
}
