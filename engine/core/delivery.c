/* delivery.c - see delivery.h. */
#include "core/delivery.h"

#include "base/clock.h"
#include "base/utf8.h"
#include "base/util.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void target_init(struct target *t, const struct target_ops *ops, const char *id, const char *org)
{
    *t = (struct target){ .ops = ops, .refs = 1, .max_in_flight = 1 };
    snprintf(t->id, sizeof t->id, "%s", id);
    snprintf(t->org, sizeof t->org, "%s", org);
    list_init(&t->turn);
    list_init(&t->first);
    list_init(&t->retries);
}

struct target *target_ref(struct target *t)
{
    t->refs++;
    return t;
}

void target_unref(struct target *t)
{
    if (--t->refs == 0)
        t->ops->release(t);
}

void delivery_plan(struct delivery *d, int64_t delay_ms)
{
    d->next_ms = clock_now_ms() + delay_ms;
    d->next_mono_ms = clock_mono_ms() + delay_ms;
}

struct delivery *delivery_new(struct event *event, struct target *target)
{
    struct delivery *d = mem_alloc(sizeof *d);

    list_init(&d->node);
    delivery_key(event->org, event->id, target->id, d->key);
    d->event = event_ref(event);
    d->target = target_ref(target);
    d->number = 1;
    return d;
}

void delivery_free(struct delivery *d)
{
    list_unlink(&d->node);
    free(d->attempts);
    event_unref(d->event);
    target_unref(d->target);
    free(d);
}

const char *delivery_id(const struct delivery *d) { return strchr(d->key, '/') + 1; }

void delivery_key(const char *org, const char *event_id, const char *target_id,
                  char out[DELIVERY_KEY_BYTES])
{
    snprintf(out, DELIVERY_KEY_BYTES, "%s/%s~%s", org, event_id, target_id);
}

static enum mh_err copy_part(const char *from, const char *end, char out[MH_ID_BYTES])
{
    size_t len = (size_t)(end - from);
    if (len == 0 || len >= MH_ID_BYTES)
        return MH_INVALID;
    memcpy(out, from, len);
    out[len] = '\0';
    return id_valid(out) ? MH_OK : MH_INVALID;
}

enum mh_err delivery_split(const char *key, struct delivery_parts *out)
{
    const char *slash = strchr(key, '/'), *tilde = strchr(key, '~');

    if (slash == NULL || tilde == NULL || tilde < slash)
        return MH_INVALID;
    enum mh_err err = copy_part(key, slash, out->org);
    if (err == MH_OK)
        err = copy_part(slash + 1, tilde, out->event_id);
    if (err == MH_OK)
        err = copy_part(tilde + 1, tilde + strlen(tilde), out->target_id);
    return err;
}

char *delivery_facts(json_t *object)
{
    size_t bytes = 0;
    char  *text = json_text(object, &bytes);

    json_decref(object);
    if (text == NULL || bytes < 2) {
        free(text);
        return NULL;
    }
    memmove(text, text + 1, bytes - 2);
    text[bytes - 2] = '\0';
    return text;
}

void delivery_add_attempt(struct delivery *d, bool ok, char *facts)
{
    struct json_writer w;
    char               at[CLOCK_TEXT_BYTES], *before = d->attempts;

    clock_format(d->started_ms, at);
    json_writer_init(&w, SIZE_MAX);
    json_write_more(&w, before);
    json_write_open(&w, NULL, '{');
    json_write_int(&w, "number", d->number);
    json_write_string(&w, "started_at", at);
    json_write_ms(&w, "duration_ms", clock_mono_us() - d->started_us);
    json_write_string(&w, "status", ok ? "delivered" : "failed");
    json_write_more(&w, facts);
    json_write_close(&w, '}');
    d->attempts = json_writer_take(&w);
    if (d->attempts == NULL)
        abort();                            /* bounded by who wrote them: memory is out */
    free(before);
    free(facts);
}

static const char *status_of(const struct delivery *d)
{
    static const char *const names[] = { "delivered", "retrying", "dead", "cancelled" };
    return names[d->verdict];
}

static json_t *record_head(const struct event *e, const char *target_id, const char *kind,
                           const char *status)
{
    char id[DELIVERY_KEY_BYTES];

    snprintf(id, sizeof id, "%s~%s", e->id, target_id);
    return json_pack("{s:s, s:s, s:s?, s:s, s:{s:s, s:s}, s:s}", "id", id, "event_id", e->id,
                     "event", e->type[0] ? e->type : NULL, "org_id", e->org, "target", "kind", kind,
                     "id", target_id, "status", status);
}

char *delivery_record(const struct delivery *d)
{
    struct json_writer w;
    char               at[CLOCK_TEXT_BYTES];

    json_writer_init(&w, SIZE_MAX);
    json_write_open(&w, NULL, '{');
    json_write_string(&w, "event", d->event->type);
    json_write_string(&w, "status", status_of(d));
    if (d->round > 0)
        json_write_int(&w, "round", d->round);
    json_write_open(&w, "attempts", '[');
    json_write_more(&w, d->attempts);
    json_write_close(&w, ']');
    if (d->next_ms > 0)
        clock_format(d->next_ms, at);
    if (d->next_ms > 0)
        json_write_string(&w, "next_attempt_at", at);
    else
        json_write_null(&w, "next_attempt_at");
    json_write_close(&w, '}');
    char *text = json_writer_take(&w);
    if (text == NULL)
        abort();                            /* as above */
    return text;
}

json_t *delivery_record_pending(const struct event *e, const char *target_id, const char *kind)
{
    json_t *record = record_head(e, target_id, kind, "pending");

    json_put(record, "attempts", json_array());
    json_put(record, "next_attempt_at", json_null());
    return record;
}

void delivery_restore(struct delivery *d, const json_t *record)
{
    json_t *attempts = json_object_get(record, "attempts");

    if (!json_is_array(attempts) || json_array_size(attempts) == 0)
        return;
    d->attempts = delivery_facts(json_incref(attempts));    /* brackets go as braces do */
    d->number = (unsigned)json_array_size(attempts) + 1;
    d->round = json_bool_of(record, "again", false) ? d->number - 1
                                                    : (unsigned)json_int_of(record, "round", 0);
    for (size_t i = 0; i < json_array_size(attempts); i++)
        d->kills += json_bool_of(json_object_get(json_array_get(attempts, i), "error"), "killed", false);
}

/* How much of `text` a record keeps; false: it is no text. */
static bool fit(const char *text, size_t bytes, size_t *out)
{
    size_t most = bytes < DELIVERY_TEXT_MAX ? bytes : DELIVERY_TEXT_MAX, at = 0, length;

    if (most > 0 && memchr(text, '\0', most) != NULL)
        return false;                       /* json_parse() takes no NUL */
    while (at < most && (length = utf8_length(text + at, most - at)) > 0)
        at += length;
    *out = at;
    return most - at < 4 && (at > 0 || bytes == 0);         /* a character may be cut */
}

json_t *delivery_text(const char *text, size_t bytes)
{
    size_t keep = 0;

    return fit(text, bytes, &keep) ? json_stringn_nocheck(text ? text : "", keep)
                                   : json_string("(binary)");
}

void delivery_write_text(struct json_writer *w, const char *name, const char *text, size_t bytes)
{
    size_t keep = 0;

    if (fit(text, bytes, &keep))
        json_write_text(w, name, text, keep);
    else
        json_write_string(w, name, "(binary)");
}
