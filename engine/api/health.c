/* health.c - /healthz, /readyz and /metrics. */
#include "api/routes.h"

#include "base/util.h"
#include "core/jail.h"
#include "core/metrics.h"
#include "io/redis_trouble.h"

#include <stdio.h>
#include <stdlib.h>

void health_live(struct api_call *c) { api_answer(c, 200, json_pack("{s:s}", "status", "ok")); }

static void not_ready(struct api_call *c, const char *what, const char *why)
{
    char detail[REDIS_TROUBLE_BYTES + 64];

    snprintf(detail, sizeof detail, "%s%s%s", what, why[0] != '\0' ? ": " : "", why);
    api_problem(c, MH_UNAVAILABLE, detail);
}

/* What its own Redis knows says more than that there is nobody to reach. */
static const char *why_away(const struct api *api)
{
    const char *trouble = api->redis_server != NULL ? redis_server_trouble(api->redis_server) : "";
    return trouble[0] != '\0' ? trouble : redis_why(api->redis);
}

void health_ready(struct api_call *c)
{
    struct queue_stats stats = queues_stats(c->api->queues);

    if (c->api->draining)
        api_problem(c, MH_UNAVAILABLE, "the engine is stopping");
    else if (!c->api->ready)
        api_problem(c, MH_UNAVAILABLE, "the engine is starting");
    else if (stats.taking == 0 && !redis_is_up(c->api->redis))
        not_ready(c, "Redis cannot be reached", why_away(c->api));
    else if (stats.taking == 0)
        not_ready(c, "Redis takes nothing", queues_trouble(c->api->queues));
    else if (stats.taking < stats.shards)   /* as all engines are: none is better than another */
        api_answer(c, 200, json_pack("{s:s, s:i, s:i}", "status", "ready", "shards",
                                     (int)stats.shards, "shards_away",
                                     (int)(stats.shards - stats.taking)));
    else
        api_answer(c, 200, json_pack("{s:s}", "status", "ready"));
}

static void one(struct buf *out, const char *name, const char *type, const char *help, double value)
{
    metrics_begin(out, name, type, help);
    metrics_sample(out, name, NULL, value);
}

/* What can be wrong with a receiver is always there, so that rates begin at zero. */
static bool is_of_receivers(enum mh_err err)
{
    return err == MH_DNS || err == MH_CONNECT || err == MH_TLS || err == MH_TIMEOUT ||
           err == MH_PROTOCOL || err == MH_TOO_LARGE || err == MH_STATUS || err == MH_BLOCKED;
}

static void write_failures(struct buf *out, const struct dispatch_counts *n)
{
    char labels[64];

    metrics_begin(out, "moonhook_attempts_failed_total", "counter", "Attempts that failed, by error code.");
    for (enum mh_err err = MH_OK + 1; err < MH_ERR_COUNT; err++)
        if (n->failed[err] > 0 || is_of_receivers(err)) {
            snprintf(labels, sizeof labels, "code=\"%s\"", err_code(err));
            metrics_sample(out, "moonhook_attempts_failed_total", labels, (double)n->failed[err]);
        }
}

static void write_pipeline(struct buf *out, const struct api *api)
{
    const struct dispatch_counts *n = dispatch_counts(api->dispatch);
    struct queue_stats            stats = queues_stats(api->queues);

    one(out, "moonhook_events_accepted_total", "counter", "Events accepted.", (double)n->accepted);
    one(out, "moonhook_events_duplicate_total", "counter",
        "Events refused as sent before, by their producer's id.", (double)n->duplicates);
    metrics_begin(out, "moonhook_deliveries_total", "counter", "Deliveries that ended, by how.");
    metrics_sample(out, "moonhook_deliveries_total", "status=\"delivered\"", (double)n->delivered);
    metrics_sample(out, "moonhook_deliveries_total", "status=\"dead\"", (double)n->dead);
    metrics_sample(out, "moonhook_deliveries_total", "status=\"cancelled\"", (double)n->cancelled);
    one(out, "moonhook_deliveries_poison_total", "counter",
        "Deliveries that were not tried again because they ended their plugin's process twice.",
        (double)n->poison);
    write_failures(out, n);
    one(out, "moonhook_deliveries_pending", "gauge", "Deliveries held by this engine or due.",
        (double)stats.owned + (double)stats.due);
    one(out, "moonhook_deliveries_owned", "gauge", "Deliveries held by this engine.",
        (double)stats.owned);
    one(out, "moonhook_deliveries_in_flight", "gauge", "Attempts under way in this engine.",
        (double)dispatch_in_flight(api->dispatch));
    one(out, "moonhook_deliveries_dead", "gauge", "Dead letters in Redis.", (double)stats.dead);
    one(out, "moonhook_deliveries_due", "gauge", "Deliveries waiting in Redis, for now or for later.",
        (double)stats.due);
    one(out, "moonhook_events_stored", "gauge", "Events in Redis, of all orgs.", (double)stats.stored);
    one(out, "moonhook_queue_shards", "gauge", "Shards of the queue.", (double)stats.shards);
    one(out, "moonhook_queue_shards_joined", "gauge", "Those that take events just now.",
        (double)stats.taking);
    if (stats.memory_bytes > 0) {           /* asked for with the heartbeats, so not known at once */
        one(out, "moonhook_redis_memory_bytes", "gauge",
            "Memory that Redis uses; of several masters that of the one that uses most.",
            (double)stats.memory_bytes);
        one(out, "moonhook_redis_memory_max_bytes", "gauge", "Its memory limit; 0: none.",
            (double)stats.memory_max_bytes);
    }
    one(out, "moonhook_redis_up", "gauge", "1 while Redis answers, all of its masters.",
        redis_is_up(api->redis));
}

static void write_webhooks(struct buf *out, const struct api *api)
{
    static const char *const labels[] = { "circuit=\"closed\"", "circuit=\"open\"",
                                          "circuit=\"half_open\"" };
    const struct endpoints_counts *n = endpoints_counts(api->endpoints);
    size_t                         circuits[ARRAY_LEN(labels)];

    endpoints_circuits(api->endpoints, circuits);
    metrics_begin(out, "moonhook_webhooks", "gauge", "Webhook endpoints, by the state of their circuit.");
    for (size_t i = 0; i < ARRAY_LEN(labels); i++)
        metrics_sample(out, "moonhook_webhooks", labels[i], (double)circuits[i]);
    one(out, "moonhook_webhook_circuits_opened_total", "counter",
        "Circuits that opened because an endpoint did nothing but fail.", (double)n->opened);
    one(out, "moonhook_webhooks_disabled_total", "counter",
        "Endpoints that were disabled by their receiver or after long failure.", (double)n->disabled);
    one(out, "moonhook_webhooks_recovered_total", "counter",
        "Endpoints that work again after long failure.", (double)n->recovered);
}

static void write_breaches(struct buf *out, const json_t *plugins)
{
    metrics_begin(out, "moonhook_limit_breaches_total", "counter",
                  "Times that a plugin reached a limit, by plugin and limit.");
    for (size_t i = 0; i < json_array_size(plugins); i++) {
        json_t     *plugin = json_array_get(plugins, i), *count;
        json_t     *metrics = json_object_get(plugin, "metrics");
        const char *limit;
        json_object_foreach(json_object_get(metrics, "limits_reached"), limit, count) {
            char *labels = mem_printf("plugin=\"%s\",limit=\"%s\"", json_text_of(plugin, "name", ""),
                                      limit);
            metrics_sample(out, "moonhook_limit_breaches_total", labels, json_number_value(count));
            free(labels);
        }
    }
}

static void write_states(struct buf *out, const json_t *plugins)
{
    size_t  i;
    json_t *plugin;

    metrics_begin(out, "moonhook_plugin_state", "gauge", "1 for the state that a plugin is in.");
    json_array_foreach(plugins, i, plugin) {
        char *labels = mem_printf("plugin=\"%s\",state=\"%s\"", json_text_of(plugin, "name", ""),
                                  json_text_of(plugin, "status", ""));
        metrics_sample(out, "moonhook_plugin_state", labels, 1);
        free(labels);
    }
}

static void write_plugins(struct buf *out, const struct api *api)
{
    static const struct { const char *name, *key, *help; } rows[] = {
        { "moonhook_hook_calls_total", "calls", "Hook calls, by plugin." },
        { "moonhook_hook_failures_total", "failures", "Hook calls that failed, by plugin." },
        { "moonhook_plugin_restarts_total", "restarts", "Processes that ended, by plugin." },
    };
    json_t *all = plugins_describe(api->plugins);

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        metrics_begin(out, rows[i].name, "counter", rows[i].help);
        for (size_t j = 0; j < json_array_size(all); j++) {
            json_t *plugin = json_array_get(all, j);
            char   *labels = mem_printf("plugin=\"%s\"", json_text_of(plugin, "name", ""));
            metrics_sample(out, rows[i].name, labels,
                           (double)json_int_of(json_object_get(plugin, "metrics"), rows[i].key, 0));
            free(labels);
        }
    }
    write_breaches(out, all);
    write_states(out, all);
    json_decref(all);
}

void health_metrics(struct api_call *c)
{
    struct buf out;
    size_t     bytes;

    buf_init(&out, 4 * MH_MIB);
    write_pipeline(&out, c->api);
    write_webhooks(&out, c->api);
    write_plugins(&out, c->api);
    broker_write_metrics(c->api->broker, &out);
    jail_metrics(c->api->jail, &out);
    char *text = buf_take(&out, &bytes);
    api_answer_text(c, 200, "text/plain; version=0.0.4; charset=utf-8", text, bytes);
}
