/* redis.c - see redis.h. Commands, and how they end. Which server one goes to is said by
 * redis_sentinel.c or redis_cluster.c where there are several; each server's connection
 * is kept by redis_node.c.
 *
 * Every command is in one list at any time: in a link's while its answer is
 * awaited, or in `ended`, which the next turn of the loop empties. So each ends
 * exactly once and never inside the call that gave it. */
#include "io/redis_internal.h"

#include "base/clock.h"
#include "base/list.h"
#include "base/util.h"
#include "io/crypto.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_REDIRECTS = 5 };                 /* of one command in a cluster */

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
    { "MOVED ",      MH_UNAVAILABLE },      /* of a cluster; where it leads was tried */
    { "ASK ",        MH_UNAVAILABLE },
    { "TRYAGAIN",    MH_UNAVAILABLE },      /* keys of one command are on their way elsewhere */
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

static void resend(struct redis *r, struct redis_node *n, struct redis_command *c)
{
    if (n == NULL || !redis_node_send(n, c))
        end_later(r, c, MH_UNAVAILABLE);
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

static void send_source(struct redis *r, struct redis_node *n, struct redis_command *c)
{
    size_t bytes = 0;
    char  *text = with_source(c, &bytes);

    LOG_DEBUG("redis_script_sent", "script=%s", c->script->name);
    c->script = NULL;                       /* once */
    free(c->text);
    c->text = text;
    c->bytes = bytes;
    if (text == NULL)
        end_later(r, c, MH_NOMEM);
    else
        resend(r, n, c);
}

/* MOVED and ASK: it was not carried out there. After ASK only this one command goes
 * elsewhere: its slot is on its way. */
static bool redirected(struct redis *r, struct redis_node *from, struct redis_command *c,
                       const char *answer)
{
    bool ask = begins_with(answer, "ASK ");

    if (r->cluster == NULL || (!ask && !begins_with(answer, "MOVED ")) ||
        c->redirects++ == MAX_REDIRECTS)
        return false;
    struct redis_node *to = redis_cluster_redirect(r, from, answer);
    if (to != NULL && ask)
        redis_tell_node(r, to, 1, (const char *[]){ "ASKING" }, NULL, NULL);
    resend(r, to, c);
    return true;
}

/* What an error says about the server that answered it. */
static void learn_from_error(struct redis *r, struct redis_node *n, const char *answer)
{
    /* A replica now: after a failover the name leads elsewhere. Look again. */
    if (begins_with(answer, "READONLY")) {
        if (r->cluster == NULL)             /* or it would be up and lost many times a second */
            redis_node_want_master(n);
        redis_node_drop(n, answer);
    }
    if (r->cluster != NULL && begins_with(answer, "CLUSTERDOWN"))
        redis_cluster_doubt(r);
}

/* Fewer replicas than asked for have it in time. */
static enum mh_err check_replicas(struct redis *r, const redisReply *reply)
{
    bool enough = reply->type == REDIS_REPLY_INTEGER && reply->integer >= r->spec.wait_replicas;

    if (!enough && log_allowed(&r->wait_log))
        LOG_WARN("redis_wait_failed", "acknowledged=%lld wanted=%lld",
                 reply->type == REDIS_REPLY_INTEGER ? reply->integer : -1LL,
                 (long long)r->spec.wait_replicas);
    return enough ? MH_OK : MH_UNAVAILABLE;
}

static void on_answered(void *owner, struct redis_node *n, struct redis_command *c,
                        const redisReply *reply)
{
    struct redis *r = owner;
    enum mh_err   err = classify(reply);

    if (err == MH_IO && c->script != NULL && begins_with(reply->str, "NOSCRIPT")) {
        send_source(r, n, c);
        return;
    }
    if (err == MH_UNAVAILABLE && redirected(r, n, c, reply->str))
        return;
    if (err == MH_UNAVAILABLE)
        learn_from_error(r, n, reply->str);
    if (err == MH_OK && c->waits)
        err = check_replicas(r, reply);
    r->answering = n;
    command_end(c, err, reply);
    r->answering = NULL;
}

/* ---- Servers ------------------------------------------------------------------------ */

void redis_set_up(struct redis *r, bool up, const char *why)
{
    char quoted[2 * REDIS_TROUBLE_BYTES], shown[512];
    bool changed = up != r->up;

    r->up = up;
    redis_trouble(up ? "" : why, r->why);
    if (up && changed)
        LOG_INFO("redis_up", "redis=%s", log_quote(r->url.shown, shown, sizeof shown));
    if (!up && log_allowed(&r->down_log))
        LOG_WARN("redis_down", "redis=%s why=%s", log_quote(r->url.shown, shown, sizeof shown),
                 log_quote(r->why, quoted, sizeof quoted));
    if (changed)
        redis_tell_state(r, why);
}

void redis_tell_state(struct redis *r, const char *why)
{
    if (r->spec.state != NULL)
        r->spec.state(r->spec.arg, r->up, why);
}

static void on_node_up(void *owner, struct redis_node *n)
{
    struct redis *r = owner;

    if (r->cluster != NULL)
        redis_cluster_node_changed(r, n, "");
    else if (n == r->node)
        redis_set_up(r, true, "");
    else
        redis_sentinel_node_up(r);
}

static void on_node_down(void *owner, struct redis_node *n, bool was_up, const char *why)
{
    struct redis *r = owner;
    char          text[LINK_WHY_BYTES], quoted[2 * LINK_WHY_BYTES];

    (void)was_up;
    if (r->cluster != NULL) {
        redis_cluster_node_changed(r, n, why);
        return;
    }
    if (r->sentinel != NULL)
        redis_sentinel_doubt(r);
    snprintf(text, sizeof text, "%s: %s", redis_node_name(n), why);
    if (n == r->node || !r->up)
        redis_set_up(r, false, r->sentinel != NULL ? text : why);
    else if (log_allowed(&r->down_log))
        LOG_WARN("redis_sentinel_lost", "why=%s", log_quote(text, quoted, sizeof quoted));
}

static void on_unanswered(void *owner, struct redis_command *c)
{
    end_later(owner, c, MH_UNAVAILABLE);
}

static const struct redis_node_ops node_ops = {
    .up = on_node_up, .down = on_node_down, .answered = on_answered, .unanswered = on_unanswered,
};

static enum mh_err open_node(struct redis *r, struct redis_node_spec *spec, struct redis_node **out)
{
    spec->tls = r->url.tls;
    spec->ca_file = r->ca_file;
    spec->ops = &node_ops;
    spec->owner = r;
    return redis_node_open(r->loop, spec, out);
}

struct redis_node *redis_open_node(struct redis *r, const char *host, const char *port,
                                   const struct redis_login *login, bool master)
{
    struct redis_node_spec spec = { .host = host, .port = port, .login = login, .master = master };
    struct redis_node     *node = NULL;

    return open_node(r, &spec, &node) == MH_OK ? node : NULL;
}

static void end_all(struct redis *r, struct list *commands, enum mh_err err)
{
    for (struct redis_command *c; (c = first_of(commands)) != NULL;)
        end_later(r, c, err);
}

void redis_close_node(struct redis *r, struct redis_node *n)
{
    struct list unanswered;

    list_init(&unanswered);
    redis_node_close(n, &unanswered);
    end_all(r, &unanswered, MH_UNAVAILABLE);
}

/* ---- Opening and closing ------------------------------------------------------------ */

static void maybe_free(struct redis *r)
{
    if (--r->open_handles > 0)
        return;
    redis_url_deinit(&r->url);
    free(r->ca_file);
    free(r);
}

void redis_part_closed(struct redis *r) { maybe_free(r); }

static void turn_closed(uv_handle_t *turn)
{
    maybe_free(container_of((uv_idle_t *)turn, struct redis, turn));
}

static enum mh_err open_one(struct redis *r)
{
    const struct redis_host *host = &r->url.hosts[0];
    struct redis_node_spec   spec = { .host = host->name, .port = host->port, .path = r->url.path,
                                      .login = &r->url.login };
    return open_node(r, &spec, &r->node);
}

static enum mh_err open_servers(struct redis *r)
{
    switch (r->url.kind) {
    case REDIS_ONE:      return open_one(r);
    case REDIS_SENTINEL: redis_sentinel_open(r); break;
    case REDIS_CLUSTER:  redis_cluster_open(r); break;
    }
    return MH_OK;
}

enum mh_err redis_open(uv_loop_t *loop, const struct redis_spec *spec, struct redis **out)
{
    struct redis *r = mem_alloc(sizeof *r);
    char          why[REDIS_URL_WHY_BYTES];
    enum mh_err   err = redis_url_parse(spec->url, &r->url, why);

    if (err != MH_OK)
        LOG_ERROR("redis_url_invalid", "why=\"%s\"", why);      /* the URL may hold a password */
    r->loop = loop;
    r->spec = *spec;
    r->ca_file = mem_strdup(spec->ca_file);
    r->down_log.last_ms = clock_mono_ms();  /* a Redis that starts with us gets a second */
    r->open_handles = 1;
    list_init(&r->ended);
    if (err == MH_OK)
        err = open_servers(r);
    if (err != MH_OK) {
        maybe_free(r);
        return err;
    }
    signal(SIGPIPE, SIG_IGN);               /* hiredis and OpenSSL write to sockets with write() */
    uv_idle_init(loop, &r->turn);
    *out = r;
    return MH_OK;
}

static void cancel_all(struct redis *r)
{
    struct list unanswered;

    list_init(&unanswered);
    if (r->node != NULL)
        redis_node_close(r->node, &unanswered);
    r->node = NULL;
    if (r->sentinel != NULL)
        redis_sentinel_close(r);
    if (r->cluster != NULL)
        redis_cluster_close(r, &unanswered);
    end_all(r, &unanswered, MH_CANCELLED);
    for (struct redis_command *c; (c = first_of(&r->ended)) != NULL;)
        command_end(c, MH_CANCELLED, NULL);
}

void redis_close(struct redis *r)
{
    r->closing = true;
    r->up = false;
    cancel_all(r);
    uv_close((uv_handle_t *)&r->turn, turn_closed);
}

bool redis_is_up(const struct redis *r) { return r->up; }

const char *redis_why(const struct redis *r) { return r->why; }

bool redis_reaches(const struct redis *r, const char *key)
{
    return r->cluster != NULL && !r->closing ? redis_cluster_reaches(r, key) : r->up;
}

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

/* Nobody sends it a second time: its text, which the link copied, can go. */
static void sent(const struct redis *r, struct redis_command *c)
{
    if (c->script != NULL || r->cluster != NULL)
        return;
    free(c->text);
    c->text = NULL;
}

/* Takes `c`; c->text may be NULL, `err` then says why. */
static void send_to(struct redis *r, struct redis_node *n, struct redis_command *c, enum mh_err err)
{
    if (n == NULL || c->text == NULL)
        end_later(r, c, n == NULL ? MH_UNAVAILABLE : err);
    else if (redis_node_send(n, c))
        sent(r, c);
    else
        end_later(r, c, MH_UNAVAILABLE);
}

/* To somebody, as far as one can say without its key. */
static bool may_send(const struct redis *r) { return r->cluster != NULL ? !r->closing : r->up; }

static void send_command(struct redis *r, struct redis_command *c, enum mh_err err)
{
    struct redis_node *n = r->node;

    if (r->cluster != NULL && may_send(r) && c->text != NULL)
        n = redis_cluster_node(r, c);
    send_to(r, may_send(r) ? n : NULL, c, err);
}

void redis_send(struct redis *r, const struct redis_args *args, redis_done *done, void *arg)
{
    struct redis_command *c = command_new(done, arg);
    enum mh_err           err = MH_OK;

    if (may_send(r))
        c->text = format_args(args, &c->bytes, &err);
    send_command(r, c, err);
}

void redis_sendf(struct redis *r, redis_done *done, void *arg, const char *format, ...)
{
    struct redis_command *c = command_new(done, arg);
    va_list               args;

    va_start(args, format);
    int bytes = redisvFormatCommand(&c->text, format, args);
    va_end(args);
    if (bytes < 0)
        c->text = NULL;
    c->bytes = bytes < 0 ? 0 : (size_t)bytes;
    send_command(r, c, MH_INVALID);
}

void redis_tell_node(struct redis *r, struct redis_node *n, int argc, const char **argv,
                     redis_done *done, void *arg)
{
    struct redis_command *c = command_new(done, arg);
    enum mh_err           err = MH_OK;

    c->text = format_args(&(struct redis_args){ argv, NULL, argc }, &c->bytes, &err);
    send_to(r, n, c, err);
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
    if (may_send(r))
        c->text = format_eval(script, args, &c->bytes, &err);
    send_command(r, c, err);
}

/* ---- Replicas ------------------------------------------------------------------------------- */

bool redis_waits(const struct redis *r) { return r->spec.wait_replicas > 0; }

void redis_wait(struct redis *r, redis_done *done, void *arg)
{
    struct redis_command *c = command_new(done, arg);
    char                  replicas[24], ms[24];
    const char           *argv[] = { "WAIT", replicas, ms };
    enum mh_err           err = MH_OK;

    snprintf(replicas, sizeof replicas, "%lld", (long long)r->spec.wait_replicas);
    snprintf(ms, sizeof ms, "%lld", (long long)r->spec.wait_ms);
    c->waits = true;
    c->text = format_args(&(struct redis_args){ argv, NULL, ARRAY_LEN(argv) }, &c->bytes, &err);
    send_to(r, r->answering, c, err);
}
