/* endpoints_change.c - changes of endpoints on their way to Redis; see endpoints.h.
 *
 * Each endpoint has a line of changes; the first is on its way. What it makes of the endpoint
 * is made of what the endpoint is at that moment, and Redis takes it only if that is still
 * the newest. If another engine was faster, memory has been told what it wrote, and the change
 * is made again of that: so fields that a change does not name are never written over, also
 * when many are under way. */
#include "webhook/endpoints_internal.h"

#include "base/clock.h"
#include "base/log.h"

#include <stdlib.h>
#include <string.h>

/* MAX_TRIES: each failure means that another engine's change was made, so that somebody
 * always gets on. */
enum { MAX_TRIES = 64, MAX_WAITING = 256 };

struct change {
    struct list      node;                  /* in the line of its endpoint */
    struct endpoint *endpoint;              /* counted */
    /* Makes `json` and `keys` of what the endpoint is now. */
    enum mh_err    (*make)(struct change *c, struct json_fault *fault);
    json_t          *given;                 /* what is to be other */
    int64_t          only_if, overlap_ms;
    bool             anew, rotated;
    unsigned         tries;
    json_t          *json, *answer;
    struct keyring   keys;
    int64_t          revision;
    endpoints_done  *done;                  /* NULL: the engine's own */
    void            *arg;
};

static void change_end(struct change *c, enum mh_err err, const struct json_fault *fault)
{
    struct endpoints_answer answer = { c->answer, c->revision, fault };

    if (c->done != NULL)
        c->done(c->arg, err, &answer);
    else if (err != MH_OK && !c->endpoint->target.retired)
        LOG_WARN("webhook_not_stored", "webhook=%s error=%s", c->endpoint->target.id, err_code(err));
    json_decref(c->given);
    json_decref(c->json);
    json_decref(c->answer);
    keyring_wipe(&c->keys);
    target_unref(&c->endpoint->target);
    free(c);
}

/* ---- The line --------------------------------------------------------------------------- */

static void store(struct change *c);

static void leave_line(struct change *c)
{
    list_unlink(&c->node);
    c->endpoint->changes_waiting--;
}

/* Those that cannot be made end at once; the first that can is on its way then. */
static void begin_first(struct endpoint *e)
{
    enum mh_err err = MH_CONFLICT;

    target_ref(&e->target);                 /* the changes may be the last who know it */
    while (err != MH_OK && !list_empty(&e->changes)) {
        struct json_fault fault = { .pointer = "", .text = "" };
        struct change    *c = container_of(e->changes.next, struct change, node);
        err = e->target.retired ? MH_NOT_FOUND : c->make(c, &fault);
        if (err == MH_OK) {
            store(c);
        } else {
            leave_line(c);
            change_end(c, err, &fault);
        }
    }
    target_unref(&e->target);
}

static struct change *change_new(struct endpoint *e, endpoints_done *done, void *arg)
{
    struct change *c = mem_alloc(sizeof *c);

    target_ref(&e->target);
    *c = (struct change){ .endpoint = e, .done = done, .arg = arg };
    list_init(&c->node);
    return c;
}

static void begin(struct change *c)
{
    struct endpoint *e = c->endpoint;

    if (e->changes_waiting >= MAX_WAITING) {
        change_end(c, MH_BUSY, NULL);
        return;
    }
    list_push_back(&e->changes, &c->node);
    if (++e->changes_waiting == 1)
        begin_first(e);
}

/* ---- To Redis -------------------------------------------------------------------------- */

static void on_written(void *arg, int64_t revision)
{
    struct change   *c = arg;
    struct endpoint *e = c->endpoint;

    if (!e->target.retired && revision > e->revision)       /* else a newer one was heard of */
        endpoints_take_over(e, c->json, &c->keys, c->anew, revision);
    c->revision = revision;
    c->answer = endpoint_describe(e);
    if (c->rotated)
        json_put(c->answer, "secret", json_string(c->keys.secret[0].text));
    leave_line(c);
    begin_first(e);
}

static void on_done(void *arg, enum mh_err err)
{
    struct change   *c = arg;
    struct endpoint *e = c->endpoint;

    if (err == MH_OK || list_empty(&c->node)) {
        change_end(c, err, NULL);
        return;
    }
    if (err == MH_CONFLICT && ++c->tries < MAX_TRIES) {
        begin_first(e);
        return;
    }
    leave_line(c);
    begin_first(e);
    change_end(c, err, NULL);
}

/* What is to be stored, of an endpoint that is not so yet. */
static json_t *stored_as(struct endpoint *e, json_t *json, const struct keyring *keys)
{
    struct keyring present = e->keys;
    json_t        *before = e->json;

    e->json = json;
    e->keys = *keys;
    json_t *stored = endpoint_stored(e, e->owner->spec.vault);
    e->json = before;
    e->keys = present;
    keyring_wipe(&present);
    return stored;
}

static void store(struct change *c)
{
    struct endpoint *e = c->endpoint;
    json_t          *stored = stored_as(e, c->json, &c->keys);

    store_write(e->owner->spec.store, &(struct store_write){
        .kind = "webhooks", .id = e->target.id, .value = stored, .based_on = e->revision,
        .written = on_written, .done = on_done, .arg = c });
    json_decref(stored);
}

/* ---- What operators change --------------------------------------------------------------- */

/* Takes `json`. */
static void set_made(struct change *c, json_t *json, const struct keyring *keys)
{
    json_decref(c->json);
    c->json = json;
    c->keys = *keys;
}

static enum mh_err make_update(struct change *c, struct json_fault *fault)
{
    struct endpoint *e = c->endpoint;
    json_t          *merged = NULL;

    if (c->only_if != ENDPOINTS_ANY && c->only_if != e->revision)
        return MH_PRECONDITION;
    enum mh_err err = endpoint_check(c->given, e->json, &e->owner->spec.most, &merged, fault);
    if (err != MH_OK)
        return err;
    set_made(c, merged, &e->keys);
    keyring_set_ed25519(&c->keys, json_bool_of(merged, "ed25519", false));
    return MH_OK;
}

void endpoints_update(struct endpoint *e, const json_t *given, int64_t only_if, endpoints_done *done,
                      void *arg)
{
    struct change *c = change_new(e, done, arg);

    c->make = make_update;
    c->given = json_deep_copy(given);
    c->only_if = only_if;
    c->anew = json_bool_of(given, "active", false);
    begin(c);
}

static enum mh_err make_rotation(struct change *c, struct json_fault *fault)
{
    struct keyring keys = c->endpoint->keys;

    (void)fault;
    enum mh_err err = keyring_rotate(&keys, c->overlap_ms, clock_now_ms());
    if (err == MH_OK)
        set_made(c, json_incref(c->endpoint->json), &keys);
    keyring_wipe(&keys);
    return err;
}

void endpoints_rotate(struct endpoint *e, int64_t overlap_ms, endpoints_done *done, void *arg)
{
    struct change *c = change_new(e, done, arg);

    c->make = make_rotation;
    c->overlap_ms = overlap_ms;
    c->rotated = true;
    begin(c);
}

/* ---- What the engine itself learned ---------------------------------------------------------- */

/* An endpoint that was disabled here stays so, whatever another engine's operator changed of
 * it meanwhile, unless it now leads elsewhere. */
static enum mh_err make_note(struct change *c, struct json_fault *fault)
{
    struct endpoint *e = c->endpoint;
    json_t          *json = json_incref(e->json);

    (void)fault;
    if (c->given != NULL && e->active &&
        strcmp(json_text_of(c->given, "url", ""), json_text_of(json, "url", "")) == 0) {
        json_decref(json);
        json = json_deep_copy(e->json);
        json_object_update(json, c->given);
    }
    set_made(c, json, &e->keys);
    return MH_OK;
}

static json_t *disabling_of(const struct endpoint *e)
{
    static const char *const members[] = { "url", "active", "disabled_reason", "disabled_at" };
    json_t                  *given = json_object();

    for (size_t i = 0; i < sizeof members / sizeof *members; i++)
        json_put(given, members[i], json_incref(json_object_get(e->json, members[i])));
    return given;
}

/* One that waits behind the first change, and so has read nothing yet. */
static struct change *waiting_note(struct endpoint *e)
{
    list_for_each(node, after, &e->changes) {
        struct change *c = container_of(node, struct change, node);
        if (c->done == NULL && node != e->changes.next)
            return c;
    }
    return NULL;
}

void endpoints_store(struct endpoint *e)
{
    if (e->deleting || e->target.retired)
        return;
    struct change *waiting = waiting_note(e), *c = waiting ? waiting : change_new(e, NULL, NULL);
    if (!e->active && json_object_get(e->json, "disabled_reason") != NULL) {
        json_decref(c->given);
        c->given = disabling_of(e);
    }
    c->make = make_note;
    if (waiting == NULL)
        begin(c);
}
