/* redis.c - see redis.h. Keeps one link (redis_link.h) to Redis, and opens the
 * next when it is lost: host name looked up, its addresses tried in turn.
 *
 * Every command is in one list at any time: in the link's while its answer is
 * awaited, or in `ended`, which the next turn of the loop empties. So each ends
 * exactly once and never inside the call that gave it. */
#include "io/redis.h"

#include "base/clock.h"
#include "base/list.h"
#include "base/log.h"
#include "base/util.h"
#include "io/crypto.h"
#include "io/redis_link.h"
#include "io/redis_url.h"
#include "io/tls_bridge.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { RETRY_FIRST_MS = 50, RETRY_MAX_MS = 1000 };

struct redis {
    uv_loop_t         *loop;
    struct redis_spec  spec;                /* of which only state and arg are used */
    struct redis_url   url;
    struct tls_bridge *bridge;              /* rediss:// only */
    struct redis_link *link;                /* NULL while there is no connection */
    bool               up, closing;
    uv_getaddrinfo_t   lookup;
    size_t             address_turn;        /* which of the host's addresses is next */
    bool               more_addresses;      /* before it is worth a log line and a pause */
    struct timer       retry;
    int64_t            retry_ms;
    uv_idle_t          turn;                /* runs while `ended` holds something */
    struct list        ended;
    unsigned           open_handles;        /* and requests: libuv still has our memory */
    struct log_limit   down_log;
};

/* ---- Ends of commands --------------------------------------------------------- */

static void command_end(struct redis_command *c, enum mh_err err, const redisReply *reply)
{
    if (c->done != NULL)
        c->done(c->arg, err, reply);
    free(c->text);
    free(c);
}

static struct redis_command *first_of(struct list *commands)
{
    struct list *node = list_pop_front(commands);
    return node != NULL ? container_of(node, struct redis_command, node) : NULL;
}

/* Those that are given meanwhile wait for the turn after this. */
static void on_turn(uv_idle_t *turn)
{
    struct redis      *r = container_of(turn, struct redis, turn);
    const struct list *last = r->ended.prev;
    bool               more = true;

    uv_idle_stop(turn);
    while (more) {
        struct redis_command *c = first_of(&r->ended);
        more = &c->node != last;
        command_end(c, c->err, NULL);
        more = more && !r->closing;         /* redis_close() ended the rest */
    }
}

static void end_later(struct redis *r, struct redis_command *c, enum mh_err err)
{
    c->err = r->closing ? MH_CANCELLED : err;
    list_push_back(&r->ended, &c->node);
    if (!r->closing)
        uv_idle_start(&r->turn, on_turn);
}

/* ---- Answers -------------------------------------------------------------------- */

static const struct { const char *prefix; enum mh_err err; } error_answers[] = {
    { "STALE",       MH_STALE },            /* our own scripts */
    { "LOADING",     MH_UNAVAILABLE },
    { "READONLY",    MH_UNAVAILABLE },
    { "OOM",         MH_UNAVAILABLE },
    { "MISCONF",     MH_UNAVAILABLE },
    { "MASTERDOWN",  MH_UNAVAILABLE },
    { "CLUSTERDOWN", MH_UNAVAILABLE },
    { "NOREPLICAS",  MH_UNAVAILABLE },
    { "BUSY ",       MH_UNAVAILABLE },      /* a script runs too long; not BUSYKEY, BUSYGROUP */
};

static bool begins_with(const char *text, const char *prefix)
{
    return strncmp(text, prefix, strlen(prefix)) == 0;
}

static enum mh_err classify(const redisReply *reply)
{
    if (reply->type != REDIS_REPLY_ERROR)
        return MH_OK;
    for (size_t i = 0; i < ARRAY_LEN(error_answers); i++)
        if (begins_with(reply->str, error_answers[i].prefix))
            return error_answers[i].err;
    return MH_IO;
}

/* "*5 $7 EVALSHA $40 <sha1> <rest>" becomes "*5 $4 EVAL $n <source> <rest>". */
static char *with_source(const struct redis_command *c, size_t *bytes)
{
    static const char by_sha1[] = "$7\r\nEVALSHA\r\n$40\r\n";
    const char *source = c->script->source;
    size_t      source_bytes = strlen(source), head_bytes = strcspn(c->text, "\n") + 1;
    size_t      skip = head_bytes + sizeof by_sha1 - 1 + 40;
    size_t      max = c->bytes + source_bytes + 64;
    char       *text = malloc(max);

    if (text == NULL)
        return NULL;
    int front = snprintf(text, max, "%.*s$4\r\nEVAL\r\n$%zu\r\n%s", (int)head_bytes, c->text,
                         source_bytes, source);
    memcpy(text + front, c->text + skip, c->bytes - skip);
    *bytes = (size_t)front + c->bytes - skip;
    return text;
}

static void send_source(struct redis *r, struct redis_command *c)
{
    size_t bytes = 0;
    char  *text = with_source(c, &bytes);

    LOG_DEBUG("redis_script_sent", "script=%s", c->script->name);
    c->script = NULL;                       /* once */
    if (text == NULL)
        end_later(r, c, MH_NOMEM);
    else if (r->link == NULL || !redis_link_send(r->link, c, text, bytes))
        end_later(r, c, MH_UNAVAILABLE);
    free(text);
}

static void on_answered(void *owner, struct redis_command *c, const redisReply *reply)
{
    struct redis *r = owner;
    enum mh_err   err = classify(reply);

    if (err == MH_IO && c->script != NULL && begins_with(reply->str, "NOSCRIPT")) {
        send_source(r, c);
        return;
    }
    /* A replica now: after a failover the name leads elsewhere. Look again. */
    if (err == MH_UNAVAILABLE && begins_with(reply->str, "READONLY"))
        redis_link_drop(r->link, reply->str);
    command_end(c, err, reply);
}

/* ---- Connecting ------------------------------------------------------------------- */

static void connect_now(struct redis *r);

static void on_retry(struct timer *retry)
{
    connect_now(container_of(retry, struct redis, retry));
}

static int64_t next_delay(struct redis *r)
{
    int64_t delay = r->retry_ms;
    r->retry_ms = delay * 2 < RETRY_MAX_MS ? delay * 2 : RETRY_MAX_MS;
    return delay;
}

static void down(struct redis *r, const char *why)
{
    char quoted[2 * LINK_WHY_BYTES], shown[512];
    bool was_up = r->up;
    bool silent = !was_up && r->more_addresses;

    r->up = false;
    if (!silent && log_allowed(&r->down_log))
        LOG_WARN("redis_down", "redis=%s why=%s", log_quote(r->url.shown, shown, sizeof shown),
                 log_quote(why, quoted, sizeof quoted));
    timer_start(&r->retry, silent ? 0 : next_delay(r));
    if (was_up && r->spec.state != NULL)
        r->spec.state(r->spec.arg, false, why);
}

static void on_lost(void *owner, const char *why, struct list *unanswered)
{
    struct redis *r = owner;

    r->link = NULL;
    for (struct redis_command *c; (c = first_of(unanswered)) != NULL;)
        end_later(r, c, MH_UNAVAILABLE);
    bool tls_failed = r->bridge != NULL && tls_bridge_why(r->bridge)[0] != '\0';
    down(r, tls_failed ? tls_bridge_why(r->bridge) : why);
}

static void on_up(void *owner)
{
    struct redis *r = owner;
    char          shown[512];

    r->up = true;
    r->retry_ms = RETRY_FIRST_MS;
    LOG_INFO("redis_up", "redis=%s", log_quote(r->url.shown, shown, sizeof shown));
    if (r->spec.state != NULL)
        r->spec.state(r->spec.arg, true, "");
}

static const struct redis_link_ops link_ops = {
    .up = on_up, .answered = on_answered, .lost = on_lost,
};

static void open_link(struct redis *r, const struct sockaddr *to)
{
    const char *path = r->url.path;
    char        why[LINK_WHY_BYTES];

    if (r->bridge != NULL) {
        tls_bridge_aim(r->bridge, to);
        path = tls_bridge_path(r->bridge);
        to = NULL;
    }
    if (redis_link_open(r->loop, &r->url, to, path, &link_ops, r, why, &r->link) != MH_OK)
        down(r, why);
}

/* Each attempt takes the next address: "localhost" may be ::1 and 127.0.0.1. */
static const struct addrinfo *next_address(struct redis *r, const struct addrinfo *all)
{
    const struct addrinfo *found = all;
    size_t                 count = 0;

    for (const struct addrinfo *a = all; a != NULL; a = a->ai_next)
        count++;
    size_t turn = r->address_turn++ % count;
    r->more_addresses = turn + 1 < count;
    for (size_t i = 0; i < turn; i++)
        found = found->ai_next;
    return found;
}

static void maybe_free(struct redis *r)
{
    if (--r->open_handles > 0)
        return;
    redis_url_deinit(&r->url);
    free(r);
}

static void on_looked_up(uv_getaddrinfo_t *lookup, int status, struct addrinfo *all)
{
    struct redis *r = container_of(lookup, struct redis, lookup);

    if (!r->closing && status == 0)
        open_link(r, next_address(r, all)->ai_addr);
    else if (!r->closing) {
        r->more_addresses = false;
        down(r, uv_strerror(status));
    }
    uv_freeaddrinfo(all);
    maybe_free(r);
}

static void connect_now(struct redis *r)
{
    struct addrinfo hints = { .ai_socktype = SOCK_STREAM };

    if (r->url.path != NULL) {
        open_link(r, NULL);
        return;
    }
    int err = uv_getaddrinfo(r->loop, &r->lookup, on_looked_up, r->url.host, r->url.port, &hints);
    if (err == 0)
        r->open_handles++;
    else
        down(r, uv_strerror(err));
}

/* ---- Opening and closing ------------------------------------------------------------ */

static void turn_closed(uv_handle_t *turn)
{
    maybe_free(container_of((uv_idle_t *)turn, struct redis, turn));
}

static void retry_closed(struct timer *retry)
{
    maybe_free(container_of(retry, struct redis, retry));
}

enum mh_err redis_open(uv_loop_t *loop, const struct redis_spec *spec, struct redis **out)
{
    struct redis *r = mem_alloc(sizeof *r);
    char          why[REDIS_URL_WHY_BYTES];
    enum mh_err   err = redis_url_parse(spec->url, &r->url, why);

    if (err != MH_OK)
        LOG_ERROR("redis_url_invalid", "why=\"%s\"", why);      /* the URL may hold a password */
    else if (r->url.tls)
        err = tls_bridge_open(loop, r->url.host, spec->ca_file, &r->bridge);
    if (err != MH_OK) {
        redis_url_deinit(&r->url);
        free(r);
        return err;
    }
    signal(SIGPIPE, SIG_IGN);               /* hiredis and OpenSSL write to sockets with write() */
    r->loop = loop;
    r->spec = (struct redis_spec){ .state = spec->state, .arg = spec->arg };
    r->retry_ms = RETRY_FIRST_MS;
    r->down_log.last_ms = clock_mono_ms();  /* a Redis that starts with us gets a second */
    r->open_handles = 2;
    list_init(&r->ended);
    uv_idle_init(loop, &r->turn);
    timer_init(&r->retry, loop, on_retry);
    timer_start(&r->retry, 0);
    *out = r;
    return MH_OK;
}

static void cancel_all(struct redis *r)
{
    struct list unanswered;

    list_init(&unanswered);
    if (r->link != NULL)
        redis_link_close(r->link, &unanswered);
    r->link = NULL;
    for (struct redis_command *c; (c = first_of(&unanswered)) != NULL;)
        end_later(r, c, MH_CANCELLED);
    for (struct redis_command *c; (c = first_of(&r->ended)) != NULL;)
        command_end(c, MH_CANCELLED, NULL);
}

void redis_close(struct redis *r)
{
    r->closing = true;
    r->up = false;
    cancel_all(r);
    if (r->bridge != NULL)
        tls_bridge_close(r->bridge);
    r->bridge = NULL;
    uv_cancel((uv_req_t *)&r->lookup);      /* fails when none is waiting: its end is awaited */
    uv_close((uv_handle_t *)&r->turn, turn_closed);
    timer_close(&r->retry, retry_closed);
}

bool redis_is_up(const struct redis *r) { return r->up; }

/* ---- Commands ---------------------------------------------------------------------------- */

/* The command as it travels: malloc'ed, NULL if it cannot be made. */
static char *format_args(const struct redis_args *args, size_t *bytes, enum mh_err *err)
{
    size_t sum = 0;
    char  *text = NULL;

    for (int i = 0; i < args->argc; i++)
        sum += args->lens != NULL ? args->lens[i] : strlen(args->argv[i]);
    *err = MH_TOO_LARGE;
    if (sum > LINK_MAX_COMMAND_BYTES)
        return NULL;
    int n = redisFormatCommandArgv(&text, args->argc, args->argv, args->lens);
    *err = n < 0 ? MH_NOMEM : MH_OK;
    *bytes = (size_t)n;
    return n < 0 ? NULL : text;
}

static struct redis_command *command_new(redis_done *done, void *arg)
{
    struct redis_command *c = mem_alloc(sizeof *c);

    c->done = done;
    c->arg = arg;
    return c;
}

/* Takes `c`; `text` may be NULL, `err` then says why. */
static void send_text(struct redis *r, struct redis_command *c, const char *text, size_t bytes,
                      enum mh_err err)
{
    if (!r->up)
        end_later(r, c, MH_UNAVAILABLE);
    else if (text == NULL)
        end_later(r, c, err);
    else if (!redis_link_send(r->link, c, text, bytes))
        end_later(r, c, MH_UNAVAILABLE);
}

void redis_send(struct redis *r, const struct redis_args *args, redis_done *done, void *arg)
{
    size_t      bytes = 0;
    enum mh_err err = MH_OK;
    char       *text = r->up ? format_args(args, &bytes, &err) : NULL;

    send_text(r, command_new(done, arg), text, bytes, err);
    free(text);
}

void redis_sendf(struct redis *r, redis_done *done, void *arg, const char *format, ...)
{
    char   *text = NULL;
    va_list args;

    va_start(args, format);
    int bytes = redisvFormatCommand(&text, format, args);
    va_end(args);
    send_text(r, command_new(done, arg), bytes < 0 ? NULL : text, (size_t)bytes, MH_INVALID);
    if (bytes >= 0)
        free(text);
}

static void learn_sha1(struct redis_script *script)
{
    unsigned char digest[64];
    size_t        bytes = 0;

    if (crypto_digest("sha1", script->source, strlen(script->source), digest, &bytes) == MH_OK)
        crypto_hex(digest, bytes, script->sha1);
}

static char *format_eval(const struct redis_script *script, const struct redis_args *args,
                         size_t *bytes, enum mh_err *err)
{
    size_t       count = (size_t)args->argc + 2;
    const char **argv = mem_alloc(count * sizeof *argv);
    size_t      *lens = mem_alloc(count * sizeof *lens);

    argv[0] = "EVALSHA";
    argv[1] = script->sha1;
    for (size_t i = 2; i < count; i++)
        argv[i] = args->argv[i - 2];
    for (size_t i = 0; i < count; i++)
        lens[i] = i >= 2 && args->lens != NULL ? args->lens[i - 2] : strlen(argv[i]);
    char *text = format_args(&(struct redis_args){ argv, lens, (int)count }, bytes, err);
    free(argv);
    free(lens);
    return text;
}

void redis_eval(struct redis *r, struct redis_script *script, const struct redis_args *args,
                redis_done *done, void *arg)
{
    struct redis_command *c = command_new(done, arg);
    enum mh_err           err = MH_OK;

    if (script->sha1[0] == '\0')
        learn_sha1(script);
    c->script = script;
    if (r->up)
        c->text = format_eval(script, args, &c->bytes, &err);
    send_text(r, c, c->text, c->bytes, err);
}
