/* plugin.c - see plugin.h. */
#include "core/plugin_internal.h"

#include "base/clock.h"
#include "base/log.h"
#include "core/hook_story.h"
#include "base/state.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_LOG_LINES = 200, BACKOFF_FIRST_MS = 100, BACKOFF_MAX_MS = 60000, STEADY_MS = 60000,
       AGAIN_MS = 20 };
#define ASLEEP_REASON "no event for a while; the next one wakes it"

static const struct state states[] = {
    [PLUGIN_STOPPED]  = { "stopped",  STATE(PLUGIN_STARTING) | STATE(PLUGIN_REMOVED) |
                                      STATE(PLUGIN_READY) | STATE(PLUGIN_ASLEEP) },
    [PLUGIN_STARTING] = { "starting", STATE(PLUGIN_READY) | STATE(PLUGIN_BACKOFF) |
                                      STATE(PLUGIN_STOPPED) | STATE(PLUGIN_REMOVED) },
    [PLUGIN_READY]    = { "ready",    STATE(PLUGIN_BACKOFF) | STATE(PLUGIN_STOPPED) |
                                      STATE(PLUGIN_REMOVED) | STATE(PLUGIN_READY) |
                                      STATE(PLUGIN_ASLEEP) },
    [PLUGIN_ASLEEP]   = { "asleep",   STATE(PLUGIN_STARTING) | STATE(PLUGIN_READY) |
                                      STATE(PLUGIN_STOPPED) | STATE(PLUGIN_REMOVED) },
    [PLUGIN_BACKOFF]  = { "backoff",  STATE(PLUGIN_STARTING) | STATE(PLUGIN_STOPPED) |
                                      STATE(PLUGIN_REMOVED) | STATE(PLUGIN_READY) },
    [PLUGIN_REMOVED]  = { "removed",  0 },
};

/* One delivery's attempt: a hook call. */
struct run {
    struct list      node;                  /* in stuck */
    struct hook_call call;
    struct plugin   *plugin;
    struct delivery *delivery;
};

static void start_instance(struct plugin *p);

void plugin_version_deinit(struct plugin_version *v)
{
    manifest_deinit(&v->manifest);
    json_decref(v->files);
    json_decref(v->config);
    free(v->source);
    *v = (struct plugin_version){ 0 };
}

struct plugin_version plugin_version_copy(const struct plugin_version *v)
{
    struct plugin_version copy = *v;

    json_incref(copy.manifest.json);
    json_incref(copy.files);
    json_incref(copy.config);
    copy.source = mem_strdup(v->source);
    return copy;
}

static void move(struct plugin *p, enum plugin_state to, const char *reason)
{
    snprintf(p->reason, sizeof p->reason, "%s", reason);
    state_move(states, &p->state, to, "plugin", p->target.id);
}

/* ---- As a target ----------------------------------------------------------------------- */

static bool active(const struct target *t)
{
    return container_of(t, struct plugin, target)->state != PLUGIN_STOPPED;
}

static bool matches(struct target *t, struct event *e)
{
    return manifest_wants(&container_of(t, struct plugin, target)->version.manifest, e->type);
}

static bool wants(struct target *t, struct event *e) { return active(t) && matches(t, e); }

static void why_not(struct target *t, struct event *e, char why[TARGET_WHY_BYTES])
{
    const struct manifest *m = &container_of(t, struct plugin, target)->version.manifest;
    const struct hook_row *row = manifest_hook_of(e->type);

    if (!active(t))
        snprintf(why, TARGET_WHY_BYTES, "the plugin is disabled");
    else if (!manifest_has_hook(m, row->hook))
        snprintf(why, TARGET_WHY_BYTES, "the plugin has no hook %s", row->hook);
    else
        snprintf(why, TARGET_WHY_BYTES, "the plugin has no permission %s", row->permission);
}

static void end_run(struct run *run, struct outcome *o)
{
    run->plugin->used_ms = clock_mono_ms();
    dispatch_done(run->plugin->spec.dispatch, run->delivery, o);
    free(run);
}

static void on_called(struct hook_call *call, const struct hook_result *r)
{
    struct run    *run = call->arg;
    struct plugin *p = run->plugin;
    struct outcome o = { .err = r->err, .uncharged = r->uncharged, .killed = r->killed,
                         .never = r->never || p->version.manifest.drop,
                         .retry_after_ms = r->retry_after_ms, .facts = r->facts };

    p->calls += !r->uncharged;
    p->failures += r->err != MH_OK && !r->uncharged;
    p->busy_ms += (double)(clock_mono_us() - run->delivery->started_us) / 1000.0;
    end_run(run, &o);
}

static void send_run(struct run *run)
{
    struct plugin *p = run->plugin;
    enum mh_err    err = p->instance ? instance_call(p->instance, &run->call) : MH_BUSY;

    if (err == MH_OK)
        return;
    if (err == MH_TOO_LARGE) {              /* and will be at every attempt */
        end_run(run, &(struct outcome){ .err = err, .never = true, .retry_after_ms = -1 });
        return;
    }
    list_push_back(&p->stuck, &run->node);
    timer_start(&p->again, AGAIN_MS);
}

/* A delivery can be older than the version that serves, which may have been approved for
 * less: what it is not granted it is not called for. */
static void deny_run(struct run *run, const struct hook_row *row)
{
    char message[160];

    snprintf(message, sizeof message, "the plugin has no %s with the permission %s any more", row->hook,
             row->permission);
    LOG_WARN("hook_denied", "plugin=%s hook=%s delivery=%s rule=\"%s\"", run->plugin->target.id,
             row->hook, run->call.delivery_id, row->permission);
    struct hook_failure f = { MH_DENIED, LIMIT_NONE, message, NULL, false };
    end_run(run, &(struct outcome){ .err = MH_DENIED, .never = true, .retry_after_ms = -1,
                                    .facts = hook_error_facts(run->plugin->target.id, &run->call, &f) });
}

static void attempt(struct target *t, struct delivery *d)
{
    struct plugin *p = container_of(t, struct plugin, target);
    struct run    *run = mem_alloc(sizeof *run);
    const struct hook_row *row = manifest_hook_of(d->event->type);

    run->plugin = p;
    run->delivery = d;
    list_init(&run->node);
    run->call = (struct hook_call){
        .hook = row->hook, .delivery_id = delivery_id(d),
        .event = d->event, .attempt = d->number, .done = on_called, .arg = run,
    };
    d->attempt_data = run;
    if (manifest_wants(&p->version.manifest, d->event->type))
        send_run(run);
    else
        deny_run(run, row);
}

/* What the sandbox could not take goes back in line, uncharged. */
static void on_again(struct timer *timer)
{
    struct plugin *p = container_of(timer, struct plugin, again);
    struct list   *node, stuck;

    list_init(&stuck);                      /* those that get stuck again wait for the next time */
    while ((node = list_pop_front(&p->stuck)) != NULL)
        list_push_back(&stuck, node);
    while ((node = list_pop_front(&stuck)) != NULL) {
        struct run    *run = container_of(node, struct run, node);
        struct outcome o = { .err = MH_BUSY, .uncharged = true, .retry_after_ms = -1,
                             .facts = NULL };
        end_run(run, &o);
    }
}

static void on_cool_closed(struct timer *t)
{
    struct plugin *p = container_of(t, struct plugin, cool);

    plugin_version_deinit(&p->version);
    plugin_version_deinit(&p->tried_version);
    plugin_version_deinit(&p->before);
    json_decref(p->logs);
    free(p);
}

static void on_idle_closed(struct timer *t)
{
    timer_close(&container_of(t, struct plugin, idle)->cool, on_cool_closed);
}

static void on_again_closed(struct timer *t)
{
    timer_close(&container_of(t, struct plugin, again)->idle, on_idle_closed);
}

static void on_restart_closed(struct timer *t)
{
    timer_close(&container_of(t, struct plugin, restart)->again, on_again_closed);
}

static void release(struct target *t)
{
    timer_close(&container_of(t, struct plugin, target)->restart, on_restart_closed);
}

static void wake(struct target *t)
{
    struct plugin *p = container_of(t, struct plugin, target);

    if (p->state == PLUGIN_ASLEEP)
        start_instance(p);
}

static const struct target_ops target_ops = {
    .kind = TARGET_PLUGIN, .kind_name = "plugin", .wants = wants, .active = active,
    .matches = matches, .why_not = why_not, .attempt = attempt,
    .release = release, .wake = wake,
};

/* ---- Process ------------------------------------------------------------------------------ */

void plugin_on_logged(void *arg, struct hook_call *call, const char *level, const char *text)
{
    struct plugin *p = arg;
    char           at[CLOCK_TEXT_BYTES], quoted[512];

    clock_format(clock_now_ms(), at);
    if (json_array_size(p->logs) == MAX_LOG_LINES)
        json_array_remove(p->logs, 0);
    json_array_append_new(p->logs, json_pack("{s:s, s:s, s:s, s:s}", "at", at, "level", level,
                                             "message", text, "delivery_id",
                                             call ? call->delivery_id : ""));
    LOG_DEBUG("plugin_log", "plugin=%s level=%s text=%s", p->target.id, level,
              log_quote(text, quoted, sizeof quoted));
}

void plugin_on_breached(void *arg, enum limit which)
{
    struct plugin *p = arg;
    p->breaches[which]++;
}

static int64_t backoff_ms(const struct plugin *p)
{
    if (p->deaths <= 1)
        return 0;
    unsigned doublings = p->deaths - 2 < 10 ? p->deaths - 2 : 10;
    int64_t  delay = (int64_t)BACKOFF_FIRST_MS << doublings;
    return delay < BACKOFF_MAX_MS ? delay : BACKOFF_MAX_MS;
}

static void back_off(struct plugin *p, enum mh_err why, const char *detail)
{
    char quoted[REASON_BYTES];

    if (p->state == PLUGIN_READY && clock_mono_ms() - p->ready_since_ms > STEADY_MS)
        p->deaths = 0;
    p->deaths++;
    p->restarts++;
    start_line_leave(p->spec.starts, &p->turn);
    LOG_WARN("plugin_ended", "plugin=%s error=%s reason=%s restart_in_ms=%lld", p->target.id,
             err_code(why), log_quote(detail, quoted, sizeof quoted), (long long)backoff_ms(p));
    dispatch_pause(p->spec.dispatch, &p->target, true);
    move(p, PLUGIN_BACKOFF, detail);
    timer_start(&p->restart, backoff_ms(p));
}

static void on_ended(void *arg, enum mh_err why, const char *detail)
{
    struct plugin *p = arg;

    p->instance = NULL;
    if (p->state == PLUGIN_STARTING || p->state == PLUGIN_READY)
        back_off(p, why, detail);
}

static void become_ready(struct plugin *p)
{
    p->ready_since_ms = p->used_ms = clock_mono_ms();
    move(p, PLUGIN_READY, "");
    if (p->spec.idle_timeout_ms > 0)
        timer_start(&p->idle, p->spec.idle_timeout_ms);
    LOG_INFO("plugin_ready", "plugin=%s version=%s pid=%d start_ms=%.1f", p->target.id,
             p->version.manifest.version, instance_pid(p->instance),
             instance_start_ms(p->instance));
    dispatch_pause(p->spec.dispatch, &p->target, false);
}

static void on_ready(void *arg, enum mh_err err, const char *message)
{
    struct plugin *p = arg;

    if (err == MH_OK) {
        become_ready(p);
        return;
    }
    char *kept = mem_strdup(message);       /* the instance owns what message points to */
    struct instance *failed = p->instance;
    p->instance = NULL;
    instance_stop(failed);
    back_off(p, err, kept);
    free(kept);
}

static void leave_line(void *arg)
{
    struct plugin *p = arg;
    start_line_leave(p->spec.starts, &p->turn);
}

static const struct instance_ops serving_ops = { leave_line, on_ready, plugin_on_logged,
                                                 plugin_on_breached, on_ended };

static void on_turn(struct start_turn *turn)
{
    struct plugin *p = container_of(turn, struct plugin, turn);
    enum mh_err    err = instance_start(p->spec.host, &p->version.manifest, p->version.files,
                                        p->version.config, &serving_ops, p, &p->instance);

    if (err != MH_OK)
        back_off(p, err, "moonhook-sandbox could not be started");
}

static void start_instance(struct plugin *p)
{
    move(p, PLUGIN_STARTING, "");
    start_line_enter(p->spec.starts, &p->turn);
}

static void on_restart(struct timer *t)
{
    struct plugin *p = container_of(t, struct plugin, restart);
    if (p->state == PLUGIN_BACKOFF)
        start_instance(p);
}

/* ---- Sleep --------------------------------------------------------------------------------- */

/* It was idle all this time without dying, so what deaths there were are forgotten. */
static void fall_asleep(struct plugin *p)
{
    struct instance *i = p->instance;

    p->deaths = 0;
    p->instance = NULL;
    dispatch_pause(p->spec.dispatch, &p->target, true);
    move(p, PLUGIN_ASLEEP, ASLEEP_REASON);
    LOG_INFO("plugin_asleep", "plugin=%s pid=%d idle_ms=%lld", p->target.id, instance_pid(i),
             (long long)(clock_mono_ms() - p->used_ms));
    instance_retire(i);
}

/* A use only notes the time; the timer finds out when it fires, and looks again later.
 * Where the plugin is not ready, becoming so starts the timer. */
static void on_idle(struct timer *timer)
{
    struct plugin *p = container_of(timer, struct plugin, idle);
    int64_t        left_ms = p->used_ms + p->spec.idle_timeout_ms - clock_mono_ms();

    if (p->state != PLUGIN_READY)
        return;
    if (left_ms > 0)
        timer_start(timer, left_ms);
    else if (p->target.in_flight + p->target.waiting > 0)
        timer_start(timer, p->spec.idle_timeout_ms);
    else
        fall_asleep(p);
}

/* ---- Life ---------------------------------------------------------------------------------- */

struct plugin *plugin_new(const struct plugin_spec *spec, struct plugin_version *version)
{
    struct plugin *p = mem_alloc(sizeof *p);

    p->spec = *spec;
    p->version = *version;
    *version = (struct plugin_version){ 0 };
    target_init(&p->target, &target_ops, p->version.manifest.name, "");
    p->target.max_in_flight = spec->concurrency;
    p->target.schedule = spec->schedule;
    p->target.paused = true;
    p->logs = json_array();
    list_init(&p->stuck);
    start_turn_init(&p->turn, on_turn);
    timer_init(&p->restart, spec->host->loop, on_restart);
    timer_init(&p->again, spec->host->loop, on_again);
    timer_init(&p->idle, spec->host->loop, on_idle);
    timer_init(&p->cool, spec->host->loop, plugin_on_cool);
    return p;
}

void plugin_start(struct plugin *p)
{
    if (p->state != PLUGIN_STOPPED)
        return;
    p->deaths = 0;
    start_instance(p);
}

void plugin_rest(struct plugin *p)
{
    if (p->spec.idle_timeout_ms == 0)
        plugin_start(p);
    else if (p->state == PLUGIN_STOPPED)
        move(p, PLUGIN_ASLEEP, ASLEEP_REASON);
}

static void end_instance(struct plugin *p)
{
    struct instance *i = p->instance;

    start_line_leave(p->spec.starts, &p->turn);
    timer_stop(&p->restart);
    timer_stop(&p->idle);
    p->instance = NULL;
    if (i != NULL)
        instance_stop(i);
    timer_stop(&p->cool);
    i = p->warm;
    p->warm = NULL;
    if (i != NULL)
        instance_stop(i);
}

void plugin_stop(struct plugin *p)
{
    if (p->state == PLUGIN_STOPPED)
        return;
    dispatch_pause(p->spec.dispatch, &p->target, true);
    move(p, PLUGIN_STOPPED, "disabled by an operator");
    end_instance(p);
}

void plugin_switched(struct plugin *p)
{
    p->deaths = 0;
    start_line_leave(p->spec.starts, &p->turn);
    timer_stop(&p->restart);
    if (p->instance == NULL) {
        if (p->state == PLUGIN_READY || p->state == PLUGIN_STARTING)
            move(p, PLUGIN_BACKOFF, "");
        dispatch_pause(p->spec.dispatch, &p->target, true);     /* no hook before its setup */
        start_instance(p);
        return;
    }
    instance_set_ops(p->instance, &serving_ops, p);
    if (p->state == PLUGIN_STARTING)
        move(p, PLUGIN_BACKOFF, "");
    become_ready(p);
}

void plugin_remove(struct plugin *p)
{
    plugin_abandon(p);
    dispatch_remove_target(p->spec.dispatch, &p->target);
    move(p, PLUGIN_REMOVED, "");
    end_instance(p);
    on_again(&p->again);
    target_unref(&p->target);
}

/* ---- Reading ---------------------------------------------------------------------------------- */

const char *plugin_name(const struct plugin *p) { return p->target.id; }
const struct plugin_version *plugin_version(const struct plugin *p) { return &p->version; }
struct target *plugin_target(struct plugin *p) { return &p->target; }
json_t *plugin_logs(const struct plugin *p) { return json_deep_copy(p->logs); }

/* How often each limit was reached; those that never were are left out. */
static json_t *describe_breaches(const struct plugin *p)
{
    json_t *all = json_object();

    for (unsigned i = 0; i < LIMIT_COUNT; i++)
        if (p->breaches[i] > 0)
            json_put(all, limit_name((enum limit)i), json_integer((json_int_t)p->breaches[i]));
    return all;
}

json_t *plugin_describe(const struct plugin *p)
{
    const struct manifest *m = &p->version.manifest;
    struct limits limits = limits_of(m->limits, &p->spec.host->ceilings);
    json_t *metrics = json_pack(
        "{s:I, s:I, s:I, s:f, s:i, s:i}", "calls", (json_int_t)p->calls, "failures",
        (json_int_t)p->failures, "restarts", (json_int_t)p->restarts, "mean_ms",
        p->calls ? p->busy_ms / (double)p->calls : 0.0, "in_flight", (int)p->target.in_flight,
        "pid", p->instance ? instance_pid(p->instance) : 0);

    json_put(metrics, "start_ms", p->state == PLUGIN_READY ? json_real(instance_start_ms(p->instance))
                                              : json_null());
    json_put(metrics, "limits_reached", describe_breaches(p));
    json_t *described = json_pack("{s:s, s:s, s:s, s:o, s:s, s:o, s:o}", "name", m->name, "version",
                                  m->version, "status", states[p->state].name, "reason",
                                  delivery_text(p->reason, strlen(p->reason)),
                                  "source", p->version.source, "config",
                                  manifest_mask(m, p->version.config), "metrics", metrics);
    json_put(described, "previous_version", p->before.files ? json_string(p->before.manifest.version)
                                                            : json_null());
    json_t *permissions = json_object_get(m->json, "permissions");
    json_put(described, "limits", limits_json(&limits));
    json_put(described, "permissions", permissions ? json_incref(permissions) : json_array());
    return described;
}
