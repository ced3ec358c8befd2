/* queue_index.c - pages of an org's events, from its index (I8): for REST and for replays. */
#include "core/queue_internal.h"

#include "base/clock.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PAGE_BYTES = 4 * 1024 * 1024 };

/* ---- Places ----------------------------------------------------------------------- */

void place_text(const struct place *p, char out[PLACE_BYTES])
{
    if (p->id[0] == '\0')
        out[0] = '\0';
    else
        snprintf(out, PLACE_BYTES, "%lld.%s", (long long)p->ms, p->id);
}

enum mh_err place_parse(const char *text, struct place *out)
{
    size_t digits = strspn(text, "0123456789");

    if (text[0] == '\0') {
        *out = (struct place){ 0 };
        return MH_OK;
    }
    if (digits == 0 || digits > 15 || text[digits] != '.' || !id_valid(text + digits + 1))
        return MH_INVALID;
    out->ms = strtoll(text, NULL, 10);
    snprintf(out->id, sizeof out->id, "%s", text + digits + 1);
    return MH_OK;
}

/* ---- Pages --------------------------------------------------------------------------- */

static void add_place_ms(struct command *c, const struct place *p)
{
    if (p->id[0] == '\0')
        command_text(c, "");
    else
        command_format(c, "%lld", (long long)p->ms);
}

void queue_page(struct queue *q, const struct page *page, redis_done *done, void *arg)
{
    struct command c;

    command_init(&c);
    command_text(&c, "1");
    queue_key2(q, &c, "events", page->org);
    command_text(&c, page->up ? "up" : "down");
    command_format(&c, "%lld", (long long)page->since_ms);
    command_format(&c, "%lld", (long long)page->until_ms);
    add_place_ms(&c, &page->after);
    command_text(&c, page->after.id);
    command_format(&c, "%zu", page->most);
    command_format(&c, "%d", PAGE_BYTES);
    command_format(&c, "%s:event:%s/", q->keys, page->org);
    struct redis_args args = command_args(&c);
    redis_eval(q->spec.redis, &q->scripts[SCRIPT_PAGE], &args, done, arg);
    command_deinit(&c);
}

bool page_entry(const redisReply *reply, size_t i, struct page_entry *out)
{
    size_t at = 1 + 3 * i;

    if (reply->type != REDIS_REPLY_ARRAY || at + 2 >= reply->elements)
        return false;
    const redisReply *id = reply->element[at], *ms = reply->element[at + 1];
    if (id->type != REDIS_REPLY_STRING || ms->type != REDIS_REPLY_STRING || !id_valid(id->str))
        return false;
    snprintf(out->place.id, sizeof out->place.id, "%s", id->str);
    out->place.ms = strtoll(ms->str, NULL, 10);
    out->stored = reply->element[at + 2];
    return true;
}

bool page_has_more(const redisReply *reply)
{
    return reply->type == REDIS_REPLY_ARRAY && reply->elements > 0 &&
           reply->element[0]->type == REDIS_REPLY_INTEGER && reply->element[0]->integer == 1;
}

/* ---- For REST ----------------------------------------------------------------------------- */

/* MAX_PAGES: of the index, for one page of a type of which there are few. */
enum { MAX_PAGES = 25, LOOK_EVENTS = 200 };

struct listing {
    struct queue    *q;
    queue_read_done *done;
    void            *arg;
    char             type[EVENT_TYPE_BYTES], org[EVENT_ORG_BYTES];
    struct page      page;                  /* the one that is asked for */
    size_t           limit;
    unsigned         pages;
    json_t          *items;
};

static json_t *summary_of(const redisReply *stored, const char *type)
{
    struct stored_event found = { 0 };
    struct event       *e = NULL;
    char                at[CLOCK_TEXT_BYTES];
    json_t             *summary = NULL;

    if (queue_split_event(stored, &found) == MH_OK &&
        event_from_envelope(found.envelope, found.envelope_bytes, &e) == MH_OK &&
        (type[0] == '\0' || strcmp(type, e->type) == 0)) {
        clock_format(e->accepted_ms, at);
        summary = json_pack("{s:s, s:s, s:s, s:s, s:i}", "id", e->id, "event", e->type,
                            "timestamp", at, "org_id", e->org, "deliveries",
                            (int)json_array_size(json_object_get(found.head, "targets")));
    }
    json_decref(found.head);
    event_unref(e);
    return summary;
}

static void listing_end(struct listing *l, enum mh_err err, const struct place *next)
{
    char    text[PLACE_BYTES] = "";
    json_t *list;

    if (next != NULL)
        place_text(next, text);
    list = json_pack("{s:O, s:s?}", "items", l->items, "next", text[0] ? text : NULL);
    l->done(l->arg, err == MH_IO ? MH_UNAVAILABLE : err, err == MH_OK ? list : NULL);
    json_decref(list);
    json_decref(l->items);
    free(l);
}

static void on_page(void *arg, enum mh_err err, const redisReply *reply)
{
    struct listing   *l = arg;
    struct page_entry entry = { .stored = NULL }, behind;
    bool              more = err == MH_OK && page_has_more(reply);

    for (size_t i = 0; err == MH_OK && page_entry(reply, i, &entry); i++) {
        json_t *summary = summary_of(entry.stored, l->type);
        if (summary != NULL)
            json_array_append_new(l->items, summary);
        if (json_array_size(l->items) == l->limit) {
            more = more || page_entry(reply, i + 1, &behind);
            break;
        }
    }
    bool full = json_array_size(l->items) == l->limit || ++l->pages == MAX_PAGES;
    if (err != MH_OK || !more || full) {
        listing_end(l, err, more ? &entry.place : NULL);
        return;
    }
    l->page.after = entry.place;
    queue_page(l->q, &l->page, on_page, l);
}

void queue_read_events(struct queue *q, const struct queue_events_query *query,
                       queue_read_done *done, void *arg)
{
    struct listing *l = mem_alloc(sizeof *l);

    *l = (struct listing){ .q = q, .done = done, .arg = arg, .limit = query->limit,
                           .items = json_array() };
    snprintf(l->type, sizeof l->type, "%s", query->type ? query->type : "");
    snprintf(l->org, sizeof l->org, "%s", query->org);
    l->page = (struct page){ .org = l->org, .since_ms = query->since_ms, .until_ms = query->until_ms,
                             .most = query->type ? LOOK_EVENTS : query->limit };
    enum mh_err err = place_parse(query->after ? query->after : "", &l->page.after);
    if (err != MH_OK)
        listing_end(l, err, NULL);
    else
        queue_page(q, &l->page, on_page, l);
}
