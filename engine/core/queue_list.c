/* queue_list.c - pages of an org's deliveries over all targets, newest event first.
 *
 * There is no index of its own for them: the org's index of events (I8) is walked, and each
 * event's deliveries are looked at. A page is full unless nothing more is there or so much was
 * looked at that the rest is for the next page. Its cursor is the place of an event, and behind
 * "~" the last of that event's targets that was shown, where it has more. */
#include "core/queue_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { EVENTS_AT_ONCE = 100, RECORDS_AT_ONCE = 256, MAX_LOOKS = 100 };

struct found { struct place event; char type[EVENT_TYPE_BYTES]; char key[DELIVERY_KEY_BYTES]; };

struct walk {
    struct queue    *q;
    queue_read_done *done;
    void            *arg;
    struct page      page;                  /* its org is the next */
    char             org[EVENT_ORG_BYTES], type[EVENT_TYPE_BYTES], status[16];
    char             behind[MH_ID_BYTES];   /* target in the event `resume`; "" where none */
    char             resume[MH_ID_BYTES];
    size_t           limit;
    unsigned         looks;
    bool             more;                  /* events behind those in `found` */
    struct place     last;                  /* of the last event that was looked at */
    struct found    *found;
    size_t           count, at, room, asked;
    json_t          *items;
};

static void walk_end(struct walk *w, enum mh_err err, const char *next)
{
    json_t *list = err == MH_OK ? json_pack("{s:O, s:s?}", "items", w->items, "next", next) : NULL;

    w->done(w->arg, err == MH_IO ? MH_UNAVAILABLE : err, list);
    json_decref(list);
    json_decref(w->items);
    free(w->found);
    free(w);
}

static void look_further(struct walk *w);

/* ---- Records ------------------------------------------------------------------------- */

static bool is_wanted(const struct walk *w, const json_t *record)
{
    return w->status[0] == '\0' || strcmp(w->status, json_text_of(record, "status", "")) == 0;
}

static void take_record(struct walk *w, const struct found *f, const redisReply *stored)
{
    json_t *record = queue_record(w->q, f->key, stored);

    if (record == NULL)
        return;
    json_put(record, "event", json_string(f->type));
    if (is_wanted(w, record))
        json_array_append(w->items, record);
    json_decref(record);
}

/* The page ends behind f: between two targets of an event, or between two events. */
static void end_behind(struct walk *w, const struct found *f)
{
    char        next[PLACE_BYTES + MH_ID_BYTES], place[PLACE_BYTES];
    const char *target = strchr(f->key, '~');
    bool        within = w->at < w->count && strcmp(w->found[w->at].event.id, f->event.id) == 0;

    place_text(&f->event, place);
    snprintf(next, sizeof next, "%s%s", place, within ? target : "");
    walk_end(w, MH_OK, w->at < w->count || w->more ? next : NULL);
}

static void on_records(void *arg, enum mh_err err, const redisReply *reply)
{
    struct walk *w = arg;

    if (err != MH_OK || reply->type != REDIS_REPLY_ARRAY || reply->elements != w->asked) {
        walk_end(w, err == MH_OK ? MH_INTERNAL : err, NULL);
        return;
    }
    for (size_t i = 0; i < w->asked; i++) {
        const struct found *f = &w->found[w->at++];
        take_record(w, f, reply->element[i]);
        if (json_array_size(w->items) == w->limit) {
            end_behind(w, f);
            return;
        }
    }
    look_further(w);
}

static void read_records(struct walk *w)
{
    size_t         left = w->count - w->at;
    struct command c;

    w->asked = left < RECORDS_AT_ONCE ? left : RECORDS_AT_ONCE;
    command_init(&c);
    command_text(&c, "MGET");
    for (size_t i = 0; i < w->asked; i++)
        queue_key2(w->q, &c, "delivery", w->found[w->at + i].key);
    struct redis_args args = command_args(&c);
    redis_send(w->q->spec.redis, &args, on_records, w);
    command_deinit(&c);
}

/* ---- Events --------------------------------------------------------------------------- */

static struct found *add_found(struct walk *w)
{
    if (w->count == w->room) {
        size_t        room = w->room ? 2 * w->room : 64;
        struct found *found = mem_alloc(room * sizeof *found);
        if (w->count > 0)
            memcpy(found, w->found, w->count * sizeof *found);
        free(w->found);
        w->found = found;
        w->room = room;
    }
    return &w->found[w->count++];
}

/* Behind which target to begin; of the event that a cursor names. */
static size_t first_target(struct walk *w, const char *event_id, const json_t *targets)
{
    if (w->behind[0] == '\0' || strcmp(w->resume, event_id) != 0)
        return 0;
    for (size_t i = 0; i < json_array_size(targets); i++)
        if (strcmp(json_string_value(json_array_get(targets, i)), w->behind) == 0)
            return i + 1;
    return 0;
}

static void add_event(struct walk *w, const struct page_entry *entry)
{
    struct stored_event stored = { 0 };
    struct event       *e = NULL;
    const json_t       *targets = NULL;

    enum mh_err err = queue_split_event(entry->stored, &stored);
    if (err == MH_OK)
        err = event_from_envelope(stored.envelope, stored.envelope_bytes, &e);
    if (err == MH_OK && (w->type[0] == '\0' || strcmp(w->type, e->type) == 0))
        targets = json_object_get(stored.head, "targets");
    for (size_t i = targets ? first_target(w, e->id, targets) : 0; i < json_array_size(targets); i++) {
        struct found *f = add_found(w);
        f->event = entry->place;
        snprintf(f->type, sizeof f->type, "%s", e->type);
        delivery_key(w->org, e->id, json_string_value(json_array_get(targets, i)), f->key);
    }
    json_decref(stored.head);
    event_unref(e);
}

static void on_events(void *arg, enum mh_err err, const redisReply *reply)
{
    struct walk      *w = arg;
    struct page_entry entry;

    if (err != MH_OK) {
        walk_end(w, err, NULL);
        return;
    }
    w->count = w->at = 0;
    w->more = page_has_more(reply);
    for (size_t i = 0; page_entry(reply, i, &entry); i++) {
        add_event(w, &entry);
        w->last = entry.place;
    }
    w->page.after = w->last;
    look_further(w);
}

/* What was found, then the events behind it, until the page is full or enough was looked at. */
static void look_further(struct walk *w)
{
    char next[PLACE_BYTES];

    if (w->at == w->count && !w->more) {
        walk_end(w, MH_OK, NULL);
    } else if (w->looks++ < MAX_LOOKS && w->at < w->count) {
        read_records(w);
    } else if (w->looks <= MAX_LOOKS) {
        queue_page(w->q, &w->page, on_events, w);
    } else if (w->at > 0 && w->at < w->count) {
        end_behind(w, &w->found[w->at - 1]);
    } else {
        place_text(&w->last, next);
        walk_end(w, MH_OK, next);
    }
}

/* ---- The beginning --------------------------------------------------------------------- */

/* "PLACE" or "PLACE~TARGET": the event of the latter is to be read again. In the index
 * nothing is between an id and the same with a 1 behind it. */
static enum mh_err read_cursor(struct walk *w, const char *cursor)
{
    char        place[PLACE_BYTES];
    const char *target = strchr(cursor, '~');
    int         bytes = target ? (int)(target - cursor) : (int)strlen(cursor);

    if (bytes >= PLACE_BYTES || (target != NULL && (bytes == 0 || !id_valid(target + 1))))
        return MH_INVALID;
    snprintf(place, sizeof place, "%.*s", bytes, cursor);
    enum mh_err err = place_parse(place, &w->page.after);
    if (err != MH_OK || target == NULL)
        return err;
    snprintf(w->behind, sizeof w->behind, "%s", target + 1);
    memcpy(w->resume, w->page.after.id, sizeof w->resume);      /* a valid id is that short */
    w->page.after.id[strlen(w->resume)] = '\x01';
    w->page.after.id[strlen(w->resume) + 1] = '\0';
    return MH_OK;
}

void queue_read_deliveries(struct queue *q, const struct queue_deliveries_query *query,
                           queue_read_done *done, void *arg)
{
    struct walk *w = mem_alloc(sizeof *w);

    *w = (struct walk){ .q = q, .done = done, .arg = arg, .limit = query->limit, .more = true,
                        .page = { .since_ms = query->since_ms, .until_ms = query->until_ms,
                                  .most = EVENTS_AT_ONCE }, .items = json_array() };
    snprintf(w->org, sizeof w->org, "%s", query->org);
    snprintf(w->type, sizeof w->type, "%s", query->type ? query->type : "");
    snprintf(w->status, sizeof w->status, "%s", query->status ? query->status : "");
    w->page.org = w->org;
    enum mh_err err = read_cursor(w, query->after ? query->after : "");
    w->last = w->page.after;
    if (err != MH_OK)
        walk_end(w, err, NULL);
    else
        look_further(w);
}
