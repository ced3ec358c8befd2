/* broker_store.c - see broker_store.h. */
#include "core/broker_store.h"

#include "base/log.h"
#include "core/broker_internal.h"
#include "core/command.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef void store_args(struct command *c, const struct broker_store_call *call);
typedef void store_answer(struct open_request *r, const redisReply *reply);
static store_args   get_args, set_args, incr_args, cas_args, list_args;
static store_answer get_answer, done_answer, number_answer, list_answer;

enum { HAS_KEY = 1, HAS_VALUE = 2, HAS_LIVE = 4, HAS_BY = 8, HAS_EXPECTED = 16, IS_LIST = 32 };

static const struct store_row {
    const char   *what;
    unsigned      has;
    store_args   *args;
    store_answer *answer;
} rows[] = {
    { "get",    HAS_KEY,                                       get_args,  get_answer },
    { "set",    HAS_KEY | HAS_VALUE | HAS_LIVE,                set_args,  done_answer },
    { "delete", HAS_KEY,                                       get_args,  done_answer },
    { "incr",   HAS_KEY | HAS_BY | HAS_LIVE,                   incr_args, number_answer },
    { "cas",    HAS_KEY | HAS_VALUE | HAS_EXPECTED | HAS_LIVE, cas_args,  done_answer },
    { "list",   IS_LIST,                                       list_args, list_answer },
};

/* ---- Reading ----------------------------------------------------------------------------- */

/* Of a string from JSON, which is UTF-8 without NUL. */
static bool key_valid(const char *key, size_t least)
{
    size_t bytes = strlen(key);

    for (size_t i = 0; i < bytes; i++)
        if ((unsigned char)key[i] < 0x20 || key[i] == 0x7f)
            return false;
    return bytes >= least && bytes <= STORE_MAX_KEY_BYTES;
}

static enum mh_err read_value(const char *text, size_t bytes, char **out, size_t *out_bytes,
                              const char **why)
{
    struct json_fault fault;
    json_t           *value = NULL;

    *why = "a value may have 64 KiB as JSON";
    if (bytes > STORE_MAX_VALUE_BYTES)                  /* megabytes are not even read */
        return MH_TOO_LARGE;
    *why = "the value is no JSON that can be kept";
    if (json_parse(text, bytes, &value, &fault) != MH_OK)
        return MH_INVALID;
    *out = json_canonical(value, out_bytes);
    json_decref(value);
    if (*out == NULL)
        return MH_NOMEM;
    *why = "a value may have 64 KiB as JSON";
    return *out_bytes <= STORE_MAX_VALUE_BYTES ? MH_OK : MH_TOO_LARGE;
}

/* Without "expected_bytes" none is expected. */
static enum mh_err read_values(const json_t *head, const struct frame *frame,
                               struct broker_store_call *out, const char **why)
{
    const json_t *split = json_object_get(head, "expected_bytes");
    int64_t       first = json_int_of(head, "expected_bytes", 0);
    enum mh_err   err = MH_OK;

    *why = "expected_bytes is not right";
    if (first < 0 || (uint64_t)first > frame->body_bytes || (split != NULL && !json_is_integer(split)))
        return MH_INVALID;
    if (split != NULL && out->row->has & HAS_EXPECTED)
        err = read_value(frame->body, (size_t)first, &out->expected, &out->expected_bytes, why);
    if (err == MH_OK && out->row->has & HAS_VALUE)
        err = read_value((const char *)frame->body + first, frame->body_bytes - (size_t)first,
                         &out->value, &out->value_bytes, why);
    return err;
}

/* A number that is there must be a whole one within its range. */
static bool read_number(const json_t *head, const char *name, int64_t least, int64_t most,
                        int64_t otherwise, int64_t *out)
{
    const json_t *value = json_object_get(head, name);

    *out = value ? json_int_of(head, name, least - 1) : otherwise;
    return value == NULL || (*out >= least && *out <= most);
}

static enum mh_err read_numbers(const json_t *head, struct broker_store_call *out, const char **why)
{
    *why = "ttl_s must be more than 0 and at most ten years";
    if (!read_number(head, "live_ms", 1, STORE_MAX_LIVE_MS, 0, &out->live_ms))
        return MH_INVALID;
    *why = "the step must be a whole number of at most 2^53 - 1";
    if (!read_number(head, "by", -STORE_MAX_NUMBER, STORE_MAX_NUMBER, 1, &out->by))
        return MH_INVALID;
    *why = "limit must be 1 to 1000";
    return read_number(head, "limit", 1, STORE_MAX_LIST, STORE_MAX_LIST, &out->limit) ? MH_OK : MH_INVALID;
}

static const struct store_row *row_of(const char *what)
{
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        if (strcmp(rows[i].what, what) == 0)
            return &rows[i];
    return NULL;
}

enum mh_err broker_store_prepare(const json_t *head, const struct frame *frame,
                                 struct broker_store_call *out, const char **why)
{
    *out = (struct broker_store_call){ .row = row_of(json_text_of(head, "what", "")) };
    *why = "the store can do no such thing";
    if (out->row == NULL)
        return MH_INVALID;
    out->key = json_text_of(head, "key", "");
    out->prefix = json_text_of(head, "prefix", "");
    *why = "a key must be 1 to 200 bytes of UTF-8 without control characters";
    if (!key_valid(out->key, out->row->has & HAS_KEY ? 1 : 0) || !key_valid(out->prefix, 0))
        return MH_INVALID;
    enum mh_err err = read_numbers(head, out, why);
    return err == MH_OK ? read_values(head, frame, out, why) : err;
}

void broker_store_deinit(struct broker_store_call *c)
{
    free(c->value);
    free(c->expected);
}

/* ---- To Redis --------------------------------------------------------------------------------- */

static void get_args(struct command *c, const struct broker_store_call *call)
{
    command_text(c, call->key);
}

static void set_args(struct command *c, const struct broker_store_call *call)
{
    command_text(c, call->key);
    command_add(c, call->value, call->value_bytes);
    command_format(c, "%lld", (long long)call->live_ms);
}

static void incr_args(struct command *c, const struct broker_store_call *call)
{
    command_text(c, call->key);
    command_format(c, "%lld", (long long)call->by);
    command_format(c, "%lld", (long long)call->live_ms);
}

static void cas_args(struct command *c, const struct broker_store_call *call)
{
    command_text(c, call->key);
    command_text(c, call->expected ? "1" : "0");
    command_add(c, call->expected ? call->expected : "", call->expected_bytes);
    command_add(c, call->value, call->value_bytes);
    command_format(c, "%lld", (long long)call->live_ms);
}

/* All keys with a prefix lie before the prefix with 0xff, which no UTF-8 holds. */
static void list_args(struct command *c, const struct broker_store_call *call)
{
    bool behind = strcmp(call->key, call->prefix) >= 0 && call->key[0] != '\0';

    if (behind)
        command_format(c, "(%s", call->key);
    else
        command_format(c, "[%s", call->prefix);
    command_format(c, "(%s\xff", call->prefix);
    command_format(c, "%lld", (long long)call->limit);
}

static void add_key(struct command *c, const struct broker *b, const char *plugin, const char *kind,
                    const char *org)
{
    command_format(c, "%s:{p:%s}:%s:%s", b->spec.prefix, plugin, kind, org);
}

static void add_orgs_key(struct command *c, const struct broker *b, const char *plugin)
{
    command_format(c, "%s:{p:%s}:orgs", b->spec.prefix, plugin);
}

static const char *const kinds[] = { "values", "names", "ends" };

static void on_stored(void *arg, enum mh_err err, const redisReply *reply);

static void send_call(struct open_request *r, const struct broker_store_call *call)
{
    const char    *plugin = r->who->manifest->name;
    const char    *org = r->call->event ? r->call->event->org : "";
    struct command c;

    command_init(&c);
    command_text(&c, "4");
    for (size_t i = 0; i < ARRAY_LEN(kinds); i++)
        add_key(&c, r->broker, plugin, kinds[i], org);
    add_orgs_key(&c, r->broker, plugin);
    command_text(&c, call->row->what);
    command_text(&c, org);
    command_format(&c, "%lld", (long long)r->who->limits.store_keys);
    command_format(&c, "%lld", (long long)r->who->limits.store_bytes);
    call->row->args(&c, call);
    struct redis_args args = command_args(&c);
    r->held = true;
    redis_eval(r->broker->spec.redis, &r->broker->store, &args, on_stored, r);
    command_deinit(&c);
}

enum mh_err broker_store_start(struct open_request *r, const json_t *head, const struct frame *frame,
                               struct refusal *no)
{
    struct broker_store_call call;
    const char              *why = "";

    enum mh_err err = broker_store_prepare(head, frame, &call, &why);
    if (err == MH_OK) {
        r->store = call.row;
        send_call(r, &call);
    } else {
        broker_refuse(no, err, "%s", why);
    }
    broker_store_deinit(&call);
    return err;
}

/* ---- Answers ----------------------------------------------------------------------------------- */

static void get_answer(struct open_request *r, const redisReply *reply)
{
    bool found = reply->elements > 1 && reply->element[1]->type == REDIS_REPLY_STRING;

    broker_reply(r, json_pack("{s:b, s:b}", "ok", 1, "found", (int)found),
                 found ? reply->element[1]->str : NULL, found ? reply->element[1]->len : 0);
}

static void done_answer(struct open_request *r, const redisReply *reply)
{
    broker_reply(r, json_pack("{s:b, s:b}", "ok", 1, "done",
                              strcmp(reply->element[0]->str, "ok") == 0), NULL, 0);
}

static void number_answer(struct open_request *r, const redisReply *reply)
{
    long long number = reply->elements > 1 && reply->element[1]->type == REDIS_REPLY_STRING
        ? strtoll(reply->element[1]->str, NULL, 10) : 0;

    broker_reply(r, json_pack("{s:b, s:I}", "ok", 1, "number", (json_int_t)number), NULL, 0);
}

static void list_answer(struct open_request *r, const redisReply *reply)
{
    json_t *names = json_array();
    bool    whole = reply->elements == 3;
    size_t  bytes = 0;

    for (size_t i = 0; whole && i < reply->element[2]->elements; i++)
        json_array_append_new(names, json_stringn(reply->element[2]->element[i]->str,
                                                  reply->element[2]->element[i]->len));
    char *text = json_text(names, &bytes);
    json_decref(names);
    broker_reply(r, json_pack("{s:b, s:b}", "ok", 1, "more",
                              (int)(whole && reply->element[1]->integer == 1)), text, bytes);
    free(text);
}

/* What the script found in the way; "none" and "other" are answers. */
static const struct obstacle {
    const char *word;
    enum mh_err err;
    enum limit  limit;
    const char *why;
} obstacles[] = {
    { "keys",  MH_LIMIT, LIMIT_STORE_KEYS,
      "the plugin keeps as many keys for this org as it may (limits.store_keys)" },
    { "bytes", MH_LIMIT, LIMIT_STORE_BYTES,
      "the plugin keeps as many bytes for this org as it may (limits.store_kb)" },
    { "type",  MH_INVALID, LIMIT_NONE, "the key holds something other than a whole number" },
    { "range", MH_INVALID, LIMIT_NONE, "the number would be larger than 2^53 - 1" },
};

static const struct obstacle *obstacle_of(const char *word)
{
    for (size_t i = 0; i < ARRAY_LEN(obstacles); i++)
        if (strcmp(obstacles[i].word, word) == 0)
            return &obstacles[i];
    return NULL;
}

static void refuse(struct open_request *r, const struct obstacle *o)
{
    struct refusal no = { .final = false };

    if (o->limit != LIMIT_NONE)
        sandbox_breach(r->who->sandbox, r->call, o->limit);
    broker_reply_error(r, broker_refuse(&no, o->err, "%s", o->why), &no);
}

static void refuse_unavailable(struct open_request *r, enum mh_err err, const redisReply *reply)
{
    static struct log_limit limit;
    struct refusal          no = { .final = false };
    char                    text[256];

    if (err == MH_IO && log_allowed(&limit))
        LOG_ERROR("store_failed", "redis=%s",
                  log_quote(reply && reply->str ? reply->str : "", text, sizeof text));
    broker_reply_error(r, broker_refuse(&no, MH_UNAVAILABLE, "%s", err_text(MH_UNAVAILABLE)), &no);
}

static void on_stored(void *arg, enum mh_err err, const redisReply *reply)
{
    struct open_request *r = arg;

    if (!broker_resume(r))
        return;
    bool read = err == MH_OK && reply->type == REDIS_REPLY_ARRAY && reply->elements > 0 &&
                reply->element[0]->type == REDIS_REPLY_STRING;
    const struct obstacle *o = read ? obstacle_of(reply->element[0]->str) : NULL;
    if (!read)
        refuse_unavailable(r, err, reply);
    else if (o != NULL)
        refuse(r, o);
    else
        r->store->answer(r, reply);
}

/* ---- Uninstalled ---------------------------------------------------------------------------------- */

struct forgetting { broker_forgotten *done; void *arg; char plugin[MH_ID_BYTES]; };

static void on_forgotten(void *arg, enum mh_err err, const redisReply *reply)
{
    struct forgetting *f = arg;

    if (err == MH_OK)
        LOG_INFO("store_forgotten", "plugin=%s orgs=%lld", f->plugin, (long long)reply->integer);
    else
        LOG_WARN("store_not_forgotten", "plugin=%s error=%s next=\"it is tried again\"", f->plugin,
                 err_code(err));
    f->done(f->arg, err == MH_OK ? MH_OK : MH_UNAVAILABLE);
    free(f);
}

void broker_store_forget(struct broker *b, const char *plugin, broker_forgotten *done, void *arg)
{
    struct forgetting *f = mem_alloc(sizeof *f);
    struct command     c;

    *f = (struct forgetting){ .done = done, .arg = arg };
    snprintf(f->plugin, sizeof f->plugin, "%s", plugin);
    command_init(&c);
    command_text(&c, "1");
    add_orgs_key(&c, b, plugin);
    for (size_t i = 0; i < ARRAY_LEN(kinds); i++)
        add_key(&c, b, plugin, kinds[i], "");
    struct redis_args args = command_args(&c);
    redis_eval(b->spec.redis, &b->store_forget, &args, on_forgotten, f);
    command_deinit(&c);
}
