/* endpoints.c - see endpoints.h. */
#include "webhook/endpoints_internal.h"

#include "base/clock.h"
#include "base/log.h"
#include "webhook/headers.h"
#include "webhook/life.h"
#include "webhook/share.h"
#include "webhook/sender.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_ENDPOINTS = 50000 };             /* far below what aborts in dispatch */

struct endpoints *endpoints_new(const struct endpoints_spec *spec)
{
    struct endpoints *es = mem_alloc(sizeof *es);
    es->spec = *spec;
    return es;
}

const struct endpoints_spec *endpoints_spec(const struct endpoints *es) { return &es->spec; }

struct endpoints_counts *endpoints_counts(struct endpoints *es) { return &es->counts; }

/* ---- As targets ------------------------------------------------------------------------ */

static bool active(const struct target *t)
{
    return container_of(t, struct endpoint, target)->active;
}

static bool matches(struct target *t, struct event *e)
{
    return endpoint_wants(container_of(t, struct endpoint, target)->json, e, NULL);
}

static bool wants(struct target *t, struct event *e) { return active(t) && matches(t, e); }

_Static_assert((int)FILTER_WHY_BYTES <= (int)TARGET_WHY_BYTES, "a filter's reason must fit");

static void why_not(struct target *t, struct event *e, char why[TARGET_WHY_BYTES])
{
    const json_t *json = container_of(t, struct endpoint, target)->json;
    const char   *reason = json_text_of(json, "disabled_reason", NULL);

    if (active(t))
        endpoint_wants(json, e, why);
    else
        snprintf(why, TARGET_WHY_BYTES, "the endpoint is not active%s%.400s", reason ? ": " : "",
                 reason ? reason : "");
}

static void on_wake_closed(struct timer *t)
{
    struct endpoint *e = container_of(t, struct endpoint, wake);

    json_decref(e->json);
    keyring_wipe(&e->keys);
    free(e);
}

static void release(struct target *t)
{
    timer_close(&container_of(t, struct endpoint, target)->wake, on_wake_closed);
}

static const struct target_ops ops = {
    .kind = TARGET_WEBHOOK, .kind_name = "webhook", .wants = wants, .active = active,
    .matches = matches, .why_not = why_not, .attempt = sender_attempt, .release = release,
    .may_begin = life_may_begin,
};

/* Takes `json`; not yet a target. */
static struct endpoint *endpoint_new(struct endpoints *es, const char *id, const char *org,
                                     json_t *json)
{
    struct endpoint *e = mem_alloc(sizeof *e);

    target_init(&e->target, &ops, id, org);
    e->owner = es;
    e->json = json;
    list_init(&e->changes);
    life_init(e);
    endpoint_apply(e, &es->spec.most);
    return e;
}

static void begin_serving(struct endpoint *e)
{
    map_put(&e->owner->all, e->target.id, e);
    dispatch_add_target(e->owner->spec.dispatch, &e->target);
}

static void end_serving(struct endpoint *e)
{
    dispatch_remove_target(e->owner->spec.dispatch, &e->target);
    timer_stop(&e->wake);                   /* deliveries may hold it for longer than its owner */
    target_unref(&e->target);
}

static void free_one(void *value) { end_serving(value); }

void endpoints_free(struct endpoints *es)
{
    map_clear(&es->all, free_one);
    free(es);
}

/* ---- Loading at start ---------------------------------------------------------------------- */

/* *json: plain, the caller's. */
static enum mh_err read_json(const struct endpoints *es, const char *id, const json_t *stored,
                             json_t **json)
{
    const json_t *sealed = json_object_get(stored, "endpoint");
    json_t       *headers = NULL;

    if (!json_is_object(sealed) || !id_valid(id))
        return MH_INVALID;
    enum mh_err err = headers_unseal(es->spec.vault, id, json_object_get(sealed, "headers"), &headers);
    if (err != MH_OK)
        return err;
    *json = json_deep_copy(sealed);
    json_put(*json, "headers", headers);
    return MH_OK;
}

/* The parts of a stored endpoint; the caller owns *json and wipes *keys. */
static enum mh_err read_stored(const struct endpoints *es, const char *id, const json_t *stored,
                               json_t **json, struct keyring *keys)
{
    enum mh_err err = read_json(es, id, stored, json);

    if (err == MH_OK) {
        err = keyring_load(keys, es->spec.vault, id, stored);
        if (err != MH_OK)
            json_decref(*json);
    }
    if (err != MH_OK)
        LOG_ERROR("webhook_not_loaded", "webhook=%s reason=\"not readable with this master key\"", id);
    return err;
}

static void load_one(struct endpoints *es, const char *id, const json_t *stored, int64_t revision)
{
    struct keyring keys;
    json_t        *json;

    if (read_stored(es, id, stored, &json, &keys) != MH_OK)
        return;
    struct endpoint *e = endpoint_new(es, id, json_text_of(stored, "org_id", "default"), json);
    e->keys = keys;
    e->revision = revision;
    keyring_wipe(&keys);
    begin_serving(e);
    life_load(e, stored);
}

void endpoints_secret_about(const char *id, const char *field, char out[VAULT_ABOUT_BYTES])
{
    if (strcmp(field, "headers") == 0)
        headers_about(id, out);
    else
        snprintf(out, VAULT_ABOUT_BYTES, "%s", id);
}

struct loading { struct endpoints *es; store_done *done; void *arg; bool plain; };

static void end_loading(struct loading *l, enum mh_err err)
{
    l->done(l->arg, err);
    free(l);
}

static bool has_plain_headers(const json_t *stored)
{
    return headers_stored_plain(json_object_get(json_object_get(stored, "endpoint"), "headers"));
}

/* A store_change. */
static bool seal_headers(void *arg, const char *id, json_t *stored)
{
    struct loading *l = arg;
    json_t         *json = json_object_get(stored, "endpoint");
    bool            plain = has_plain_headers(stored);

    if (plain)
        json_put(json, "headers", headers_seal(l->es->spec.vault, id, json_object_get(json, "headers")));
    return plain;
}

/* What was not sealed now is so at the next start, or when it is written. */
static void on_headers_sealed(void *arg, enum mh_err err, size_t changed, size_t missed)
{
    if (err == MH_OK && missed == 0)
        LOG_INFO("webhook_headers_sealed", "webhooks=%zu", changed);
    else
        LOG_WARN("webhook_headers_not_sealed", "error=%s webhooks=%zu missed=%zu", err_code(err),
                 changed, missed);
    end_loading(arg, MH_OK);
}

static void load_gate(void *arg, const char *id, const json_t *stored, int64_t revision)
{
    struct loading *l = arg;
    (void)endpoints_heard_gate(l->es, id, stored, revision);
}

static void on_gates_loaded(void *arg, enum mh_err err)
{
    struct loading *l = arg;

    if (err == MH_OK && l->plain)
        store_change_all(l->es->spec.store, "webhooks", seal_headers, on_headers_sealed, l);
    else
        end_loading(l, err);
}

static void load_stored(void *arg, const char *id, const json_t *stored, int64_t revision)
{
    struct loading *l = arg;

    if (map_get(&l->es->all, id) == NULL)   /* the gates could not be loaded, the last time */
        load_one(l->es, id, stored, revision);
    l->plain = l->plain || has_plain_headers(stored);
}

static void on_loaded(void *arg, enum mh_err err)
{
    struct loading *l = arg;

    if (err == MH_OK)
        store_load(l->es->spec.store, "gates", load_gate, on_gates_loaded, l);
    else
        end_loading(l, err);
}

void endpoints_load(struct endpoints *es, store_done *done, void *arg)
{
    struct loading *l = mem_alloc(sizeof *l);

    *l = (struct loading){ .es = es, .done = done, .arg = arg };
    store_load(es->spec.store, "webhooks", load_stored, on_loaded, l);
}

/* ---- Creating and deleting --------------------------------------------------------------------- */

struct op {
    struct endpoint *endpoint;              /* counted */
    int64_t          revision;
    endpoints_done  *done;
    void            *arg;
};

static struct op *op_new(struct endpoint *e, endpoints_done *done, void *arg)
{
    struct op *op = mem_alloc(sizeof *op);

    target_ref(&e->target);
    *op = (struct op){ .endpoint = e, .done = done, .arg = arg };
    return op;
}

static void op_end(struct op *op, enum mh_err err, json_t *json)
{
    struct endpoints_answer answer = { .json = json, .revision = op->revision };

    op->done(op->arg, err, &answer);
    json_decref(json);
    target_unref(&op->endpoint->target);
    free(op);
}

static void on_created(void *arg, int64_t revision)
{
    struct op       *op = arg;
    struct endpoint *e = op->endpoint;

    op->revision = e->revision = revision;
    if (map_get(&e->owner->all, e->target.id) != NULL)      /* heard of already */
        return;
    target_ref(&e->target);                 /* the registry's own */
    begin_serving(e);
}

static void on_create_done(void *arg, enum mh_err err)
{
    struct op *op = arg;
    json_t    *answer = err == MH_OK ? endpoint_describe(op->endpoint) : NULL;

    if (answer != NULL)
        json_put(answer, "secret", json_string(op->endpoint->keys.secret[0].text));
    op_end(op, err, answer);
}

static void store_new_one(struct endpoint *e, struct op *op)
{
    json_t *stored = endpoint_stored(e, e->owner->spec.vault);

    store_write(e->owner->spec.store, &(struct store_write){
        .kind = "webhooks", .id = e->target.id, .value = stored, .based_on = STORE_ANY,
        .written = on_created, .done = on_create_done, .arg = op });
    json_decref(stored);
}

void endpoints_create(struct endpoints *es, const char *org, json_t *merged, endpoints_done *done,
                      void *arg)
{
    char id[MH_ID_BYTES], at[CLOCK_TEXT_BYTES];

    if (es->all.count >= MAX_ENDPOINTS) {
        json_decref(merged);
        done(arg, MH_BUSY, NULL);
        return;
    }
    id_new("wh", id);
    clock_format(clock_now_ms(), at);
    json_put(merged, "created_at", json_string(at));
    struct endpoint *e = endpoint_new(es, id, org, merged);
    keyring_init(&e->keys);
    keyring_set_ed25519(&e->keys, json_bool_of(merged, "ed25519", false));
    struct op *op = op_new(e, done, arg);
    target_unref(&e->target);               /* from here on the operation holds it */
    store_new_one(e, op);
}

static void on_deleted(void *arg, enum mh_err err)
{
    struct op       *op = arg;
    struct endpoint *e = op->endpoint;

    e->deleting = false;
    if (err == MH_OK && !e->target.retired && map_remove(&e->owner->all, e->target.id) != NULL) {
        share_forget(e);
        end_serving(e);
    }
    op_end(op, err, err == MH_OK ? json_pack("{s:b}", "deleted", 1) : NULL);
}

void endpoints_delete(struct endpoints *es, struct endpoint *e, endpoints_done *done, void *arg)
{
    e->deleting = true;
    store_remove(es->spec.store, "webhooks", e->target.id, on_deleted, op_new(e, done, arg));
}

/* ---- What it becomes ---------------------------------------------------------------------------- */

static bool same_text(const json_t *a, const json_t *b, const char *key)
{
    return strcmp(json_text_of(a, key, ""), json_text_of(b, key, "")) == 0;
}

void endpoints_take_over(struct endpoint *e, json_t *json, const struct keyring *keys, bool anew,
                         int64_t revision)
{
    bool renewed = anew || !e->active || !same_text(e->json, json, "url");

    json_incref(json);
    json_decref(e->json);
    e->json = json;
    e->keys = *keys;
    e->revision = revision;
    endpoint_apply(e, &e->owner->spec.most);
    if (renewed && e->active)
        life_renew(e);
    else
        life_update(e);
}

/* ---- What other engines do -------------------------------------------------------------------- */

/* How an endpoint fares is told apart (share.h). */
static void hear_update(struct endpoint *e, const json_t *stored, int64_t revision)
{
    struct keyring keys;
    json_t        *json;

    if (read_stored(e->owner, e->target.id, stored, &json, &keys) != MH_OK)
        return;
    if (json_equal(e->json, json)) {
        e->keys = keys;
        e->revision = revision;
    } else {
        LOG_INFO("webhook_changed_elsewhere", "webhook=%s", e->target.id);
        endpoints_take_over(e, json, &keys, false, revision);
    }
    json_decref(json);
    keyring_wipe(&keys);
}

bool endpoints_heard(void *arg, const char *id, const json_t *stored, int64_t revision)
{
    struct endpoints *es = arg;
    struct endpoint  *e = map_get(&es->all, id);

    if (stored == NULL && e != NULL) {
        map_remove(&es->all, id);
        end_serving(e);
    } else if (stored != NULL && e != NULL) {
        hear_update(e, stored, revision);
    } else if (stored != NULL) {
        load_one(es, id, stored, revision);
    }
    return true;
}

bool endpoints_heard_gate(void *arg, const char *id, const json_t *stored, int64_t revision)
{
    struct endpoints *es = arg;
    struct endpoint  *e = map_get(&es->all, id);

    (void)revision;
    if (e != NULL)
        share_hear(e, stored);
    return true;
}

struct listing { const char *org; json_t *all; };

static int describe_one(void *value, void *arg)
{
    const struct endpoint *e = value;
    struct listing        *l = arg;

    if (l->org == NULL || strcmp(l->org, e->target.org) == 0)
        json_array_append_new(l->all, endpoint_describe(e));
    return 0;
}

json_t *endpoints_describe(const struct endpoints *es, const char *org)
{
    struct listing l = { org, json_array() };

    map_each(&es->all, describe_one, &l);
    return l.all;
}

struct endpoint *endpoints_find(const struct endpoints *es, const char *org, const char *id)
{
    struct endpoint *e = map_get(&es->all, id);
    return e != NULL && !e->deleting && (org == NULL || strcmp(org, e->target.org) == 0) ? e : NULL;
}

static int count_circuit(void *value, void *arg)
{
    ((size_t *)arg)[((const struct endpoint *)value)->gate.breaker.state]++;
    return 0;
}

void endpoints_circuits(const struct endpoints *es, size_t out[3])
{
    memset(out, 0, 3 * sizeof *out);
    map_each(&es->all, count_circuit, out);
}
