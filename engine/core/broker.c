/* broker.c - see broker.h: the table of requests; from REQUEST to REPLY. */
#include "core/broker_internal.h"

#include "base/clock.h"
#include "base/embed.h"
#include "base/log.h"
#include "core/metrics.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_PLUGINS = 10000,
       REFUSALS_PER_S = 5 };                /* log lines of one plugin; the next one counts the rest */

static const struct broker_row {
    const char   *op, *permission;          /* permission NULL: its own check, or none to have */
    broker_start *start;
} rows[BROKER_KINDS] = {
    [BROKER_HTTP]  = { "http",  NULL, broker_http_start },
    [BROKER_SIGN]  = { "sign",  NULL, broker_sign_start },     /* it reaches nothing */
    [BROKER_STORE] = { "store", "storage", broker_store_start },
    [BROKER_EMIT]  = { "emit",  "events:emit", broker_emit_start },
};

static struct redis_script script_named(const char *name)
{
    const struct embedded *e = embedded_redis_scripts;

    while (strcmp(e->name, name) != 0)      /* it is among them: the build put it there */
        e++;
    return (struct redis_script){ .name = e->name, .source = e->text };
}

struct broker *broker_new(const struct broker_spec *spec)
{
    struct broker *b = mem_alloc(sizeof *b);
    b->spec = *spec;
    list_init(&b->answers);
    b->store = script_named("store.lua");
    b->store_forget = script_named("store_forget.lua");
    return b;
}

void broker_free(struct broker *b)
{
    map_clear(&b->uses, free);
    free(b);
}

/* NULL when there are too many to be counted. */
static struct broker_use *use_of(struct broker *b, const char *plugin)
{
    struct broker_use *use = map_get(&b->uses, plugin);

    if (use != NULL || b->uses.count >= MAX_PLUGINS)
        return use;
    use = mem_alloc(sizeof *use);
    snprintf(use->plugin, sizeof use->plugin, "%s", plugin);
    map_put(&b->uses, use->plugin, use);
    return use;
}

/* ---- Life of a request ------------------------------------------------------------------ */

static struct open_request *open_request(struct broker *b, struct broker_subject *who,
                                         struct hook_call *call, size_t body_bytes)
{
    struct open_request *r = mem_alloc(sizeof *r);

    *r = (struct open_request){ .broker = b, .who = who, .call = call,
                                .use = use_of(b, who->manifest->name),
                                .body_bytes = body_bytes, .since_us = clock_mono_us() };
    call->request = r;
    who->open++;
    who->open_bytes += body_bytes;
    return r;
}

static void detach(struct open_request *r)
{
    r->call->request = NULL;
    r->who->open--;
    r->who->open_bytes -= r->body_bytes;
    r->call = NULL;
    r->who = NULL;
    r->use = NULL;
}

static void free_request(struct open_request *r)
{
    event_unref(r->event);
    free(r);
}

void broker_abort(struct hook_call *call)
{
    struct open_request *r = call->request;

    if (r->exchange != NULL)
        broker_http_abandon(r);
    if (r->answer != NULL)
        broker_answer_abandon(r);
    detach(r);
    if (!r->held)
        free_request(r);
}

bool broker_resume(struct open_request *r)
{
    r->held = false;
    if (r->call == NULL) {
        free_request(r);
        return false;
    }
    r->call->left_us -= clock_mono_us() - r->since_us;
    return true;
}

static struct broker_tally *tally_of(struct open_request *r)
{
    static struct broker_tally nobody;
    return r->use && r->row ? &r->use->of[r->row - rows] : &nobody;
}

/* ---- Answers ------------------------------------------------------------------------------ */

enum mh_err broker_refuse(struct refusal *no, enum mh_err err, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    vsnprintf(no->why, sizeof no->why, format, args);
    va_end(args);
    return err;
}

void broker_reply(struct open_request *r, json_t *head, const void *body, size_t bytes)
{
    char             *text = json_text(head, &(size_t){ 0 });
    struct sandbox   *sandbox = r->who->sandbox;
    struct hook_call *call = r->call;

    json_decref(head);
    detach(r);
    sandbox_reply(sandbox, call, text ? text : "{\"ok\":false}", body, bytes);
    free_request(r);
    free(text);
}

/* One line for each, unless there are so many that they would fill the disk. */
static void log_refusal(struct open_request *r, enum mh_err err, const struct refusal *no)
{
    char rule[320], why[300];

    if (r->use != NULL && !bucket_take(&r->use->denials, REFUSALS_PER_S, 1, clock_mono_us())) {
        r->use->unlogged++;
        return;
    }
    LOG_WARN(err == MH_DENIED ? "request_denied" : "request_failed",
             "plugin=%s hook=%s delivery=%s op=%s error=%s rule=%s reason=%s unlogged=%llu",
             r->who->manifest->name, r->call->hook, r->call->delivery_id,
             r->row ? r->row->op : "?", err_code(err), log_quote(no->rule, rule, sizeof rule),
             log_quote(no->why, why, sizeof why),
             r->use ? (unsigned long long)r->use->unlogged : 0);
    if (r->use != NULL)
        r->use->unlogged = 0;
}

void broker_reply_error(struct open_request *r, enum mh_err err, const struct refusal *no)
{
    struct broker_tally *tally = tally_of(r);

    tally->denied += err == MH_DENIED;
    tally->failed += err != MH_DENIED;
    log_refusal(r, err, no);
    json_t *head = json_pack("{s:b, s:s, s:s}", "ok", 0, "code", err_code(err), "message", no->why);
    if (no->final)
        json_put(head, "final", json_true());
    broker_reply(r, head, NULL, 0);
}

/* ---- Requests ------------------------------------------------------------------------------- */

static enum mh_err find_row(struct open_request *r, const json_t *head, struct refusal *no)
{
    const char *op = json_text_of(head, "op", "");

    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        if (strcmp(rows[i].op, op) == 0) {
            r->row = &rows[i];
            tally_of(r)->requests++;
            return MH_OK;
        }
    return broker_refuse(no, MH_INVALID, "moonhook knows no such operation");
}

static enum mh_err check_permission(const struct open_request *r, struct refusal *no)
{
    const char *permission = r->row->permission;

    if (permission == NULL || manifest_permits(r->who->manifest, permission))
        return MH_OK;
    snprintf(no->rule, sizeof no->rule, "%s", permission);
    return broker_refuse(no, MH_DENIED, "the plugin's permissions do not name \"%s\"", permission);
}

static enum mh_err check_limit(const struct open_request *r, struct refusal *no)
{
    if (r->who->open > r->who->limits.requests) {
        sandbox_breach(r->who->sandbox, r->call, LIMIT_REQUESTS);
        return broker_refuse(no, MH_LIMIT, "the plugin has as many requests under way as it may have"
                             " (limits.requests)");
    }
    if (r->who->open_bytes > BROKER_MAX_OPEN_BYTES)
        return broker_refuse(no, MH_BUSY, "the plugin has requests under way with bodies of 8 MiB in"
                             " all; try again later");
    return MH_OK;
}

void broker_request(struct broker *b, struct broker_subject *who, struct hook_call *call,
                    const struct frame *frame, const json_t *head)
{
    struct refusal       no = { .why = "" };
    struct open_request *r = open_request(b, who, call, frame->body_bytes);

    enum mh_err err = find_row(r, head, &no);
    if (err == MH_OK)
        err = check_limit(r, &no);
    if (err == MH_OK)
        err = check_permission(r, &no);
    if (err == MH_OK)
        err = r->row->start(r, head, frame, &no);
    if (err != MH_OK)
        broker_reply_error(r, err, &no);
}

/* ---- Metrics ---------------------------------------------------------------------------------- */

static const struct metric { const char *name, *help; size_t offset; } metrics[] = {
    { "moonhook_requests_total", "Requests of plugins, by plugin and kind.",
      offsetof(struct broker_tally, requests) },
    { "moonhook_requests_denied_total", "Requests that the plugin's permissions do not allow.",
      offsetof(struct broker_tally, denied) },
    { "moonhook_requests_failed_total", "Requests that failed for any other reason.",
      offsetof(struct broker_tally, failed) },
};

struct page { struct buf *out; const struct metric *metric; };

static int write_use(void *value, void *arg)
{
    const struct broker_use *use = value;
    const struct page       *page = arg;
    char                     labels[160];

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        if (use->of[i].requests == 0)
            continue;
        snprintf(labels, sizeof labels, "plugin=\"%s\",op=\"%s\"", use->plugin, rows[i].op);
        const void *at = (const char *)&use->of[i] + page->metric->offset;
        metrics_sample(page->out, page->metric->name, labels, (double)*(const uint64_t *)at);
    }
    return 0;
}

void broker_write_metrics(const struct broker *b, struct buf *out)
{
    for (size_t i = 0; i < ARRAY_LEN(metrics); i++) {
        struct page page = { out, &metrics[i] };
        metrics_begin(out, metrics[i].name, "counter", metrics[i].help);
        map_each(&b->uses, write_use, &page);
    }
}
