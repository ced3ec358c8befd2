/* replays.c - replays: to a webhook or a plugin, their progress, their end. */
#include "api/routes.h"

#include "base/clock.h"

#include <stdio.h>
#include <string.h>

const struct json_field replay_fields_taken[] = {
    { "since",   JSON_IS_STRING,  true },
    { "until",   JSON_IS_STRING,  false },
    { "only",    JSON_IS_STRING,  false },
    { "dry_run", JSON_IS_BOOL,    false },
    { "rate",    JSON_IS_INTEGER, false },
    { "org_id",  JSON_IS_STRING,  false },
};
const size_t replay_field_count = ARRAY_LEN(replay_fields_taken);

static enum mh_err read_time(const json_t *body, const char *name, int64_t *unix_ms,
                             struct json_fault *fault)
{
    const char *text = json_text_of(body, name, NULL);
    char        pointer[16];

    if (text == NULL || (clock_parse(text, unix_ms) == MH_OK && *unix_ms >= 0))
        return MH_OK;
    snprintf(pointer, sizeof pointer, "/%s", name);
    return json_fault(fault, pointer, "must be a time as RFC 3339 writes it: 2026-01-22T10:00:00Z");
}

static enum mh_err read_spec(const struct api_call *c, struct replay_spec *spec,
                             struct json_fault *fault)
{
    enum mh_err err = read_time(c->body, "since", &spec->since_ms, fault);
    if (err == MH_OK)
        err = read_time(c->body, "until", &spec->until_ms, fault);
    if (err != MH_OK)
        return err;
    spec->only = json_text_of(c->body, "only", "failed");
    spec->dry_run = json_bool_of(c->body, "dry_run", false);
    spec->rate = json_int_of(c->body, "rate", c->api->replay_rate);
    if (spec->until_ms != 0 && spec->until_ms <= spec->since_ms)
        return json_fault(fault, "/until", "must be later than since");
    if (!replay_only_valid(spec->only))
        return json_fault(fault, "/only", "must be failed, missing or all");
    if (spec->rate < 1 || spec->rate > REPLAY_MAX_RATE)
        return json_fault(fault, "/rate", "must be 1 to %d deliveries a second", REPLAY_MAX_RATE);
    return MH_OK;
}

static void on_done(void *arg, enum mh_err err, json_t *answer)
{
    struct api_call *c = arg;
    char             detail[120];

    snprintf(detail, sizeof detail, "no replay '%.72s' is stored for this org", c->id);
    if (err == MH_OK)
        api_answer(c, c->route->success, json_incref(answer));
    else if (err == MH_BUSY)
        api_problem(c, err, "too many replays are running; wait for one, or cancel it");
    else
        api_problem(c, err, err == MH_NOT_FOUND ? detail : json_text_of(answer, "detail", NULL));
}

static void create(struct api_call *c, const char *org, const struct target *target)
{
    struct replay_spec spec = { .org = org, .target = target };
    struct json_fault  fault = { .pointer = "", .text = "" };

    enum mh_err err = read_spec(c, &spec, &fault);
    if (err != MH_OK)
        api_fault(c, err, &fault);
    else
        replays_create(c->api->replays, &spec, on_done, c);
}

void webhooks_replay(struct api_call *c)
{
    struct endpoint  *e = endpoints_find(c->api->endpoints, c->key->admin ? NULL : c->key->org, c->id);
    struct json_fault fault = { .pointer = "", .text = "" };
    char              detail[160];

    snprintf(detail, sizeof detail, "there is no webhook '%.72s'", c->id);
    if (e == NULL)
        api_problem(c, MH_NOT_FOUND, detail);
    else if (strcmp(json_text_of(c->body, "org_id", e->target.org), e->target.org) != 0)
        api_fault(c, json_fault(&fault, "/org_id", "is not the org of this webhook"), &fault);
    else
        create(c, e->target.org, &e->target);
}

/* A plugin serves every org; a replay is of one. */
void plugins_replay(struct api_call *c)
{
    struct plugin    *p = plugins_find(c->api->plugins, c->id);
    struct json_fault fault = { .pointer = "", .text = "" };
    const char       *org;
    char              detail[120];

    snprintf(detail, sizeof detail, "no plugin '%.40s' is installed", c->id);
    if (p == NULL)
        api_problem(c, MH_NOT_FOUND, detail);
    else if (api_org(c, &org) != MH_OK)
        return;                             /* the problem is answered */
    else if (!id_valid(org))
        api_fault(c, json_fault(&fault, "/org_id", "is no valid org"), &fault);
    else
        create(c, org, plugin_target(p));
}

static const char *own_org(const struct api_call *c)
{
    return c->key->admin && http_request_query(c->http, "org_id") == NULL ? NULL : c->org;
}

void replays_get(struct api_call *c)
{
    replays_read(c->api->replays, own_org(c), c->id, on_done, c);
}

void replays_get_list(struct api_call *c) { replays_list(c->api->replays, c->org, on_done, c); }

void replays_delete(struct api_call *c)
{
    replays_cancel(c->api->replays, own_org(c), c->id, on_done, c);
}
