/* routes.c - the table of routes, and finding one. */
#include "api/routes.h"

#include "base/util.h"

#include <stdio.h>
#include <string.h>

#define EVENT    event_fields, &event_field_count
#define ENDPOINT endpoint_fields, &endpoint_field_count
#define INSTALL  install_fields, &install_field_count
#define FILTER   filter_test_fields, &filter_test_field_count
#define ROTATE   rotate_fields, &rotate_field_count
#define KEY      key_fields, &key_field_count
#define REPLAY   replay_fields_taken, &replay_field_count
#define ANY      NULL, NULL

#define PAGE "limit: how many, 1 to 200; cursor: `next` of the page before; org_id: for an admin key"
#define WINDOW "since: accepted then or later (RFC 3339); until: accepted before"
#define ORG  "org_id: for an admin key, whose"

const struct route routes[] = {
    { "POST", "/api/events", "events:write", events_post, BODY_RAW, EVENT, 202,
      "Accept an event", "wait: milliseconds to wait for the results of plugin hooks" },
    { "POST", "/api/events/batch", "events:write", events_batch, BODY_RAW, ANY, 200,
      "Accept up to 1000 events: a JSON array or NDJSON; an outcome per item", NULL },
    { "GET", "/api/events", "events:read", events_list, BODY_NONE, ANY, 200,
      "Events of an org, newest first", PAGE "; event: only this type (a page holds fewer where many others "
      "are between them: go on with next); " WINDOW },
    { "GET", "/api/events/{id}", "events:read", events_get, BODY_NONE, ANY, 200,
      "An event and the story of its deliveries; and who did not get it, and why, by today's "
      "configuration", ORG },
    { "POST", "/api/webhooks", "webhooks:write", webhooks_post, BODY_JSON, ENDPOINT, 201,
      "Create a webhook endpoint; the answer shows its secret, once", NULL },
    { "GET", "/api/webhooks", "webhooks:read", webhooks_list, BODY_NONE, ANY, 200,
      "List webhook endpoints", ORG },
    { "GET", "/api/webhooks/{id}", "webhooks:read", webhooks_get, BODY_NONE, ANY, 200,
      "A webhook endpoint; its headers' values are shown as ***; ETag names this state of it", NULL },
    { "PATCH", "/api/webhooks/{id}", "webhooks:write", webhooks_patch, BODY_JSON, ENDPOINT, 200,
      "Change a webhook endpoint: the fields that are given, whatever is changed at the same time; a header "
      "given as *** keeps its value", "If-Match: the ETag that it must still have, else 412" },
    { "DELETE", "/api/webhooks/{id}", "webhooks:write", webhooks_delete, BODY_NONE, ANY, 200,
      "Delete a webhook endpoint; what waits for it is cancelled", NULL },
    { "POST", "/api/webhooks/{id}/test", "webhooks:write", webhooks_test, BODY_NONE, ANY, 202,
      "Send a webhook.test event to this endpoint only", NULL },
    { "POST", "/api/webhooks/{id}/filter-test", "webhooks:write", webhooks_filter_test, BODY_JSON,
      FILTER, 200, "Would these events go to it, and why not: the newest, those named, or one in "
      "the body", NULL },
    { "POST", "/api/webhooks/{id}/rotate-secret", "webhooks:write", webhooks_rotate, BODY_MAYBE, ROTATE,
      200, "Make a new secret, shown once; older ones live for `overlap` more", NULL },
    { "GET", "/api/webhooks/{id}/deliveries", "webhooks:read", webhooks_deliveries, BODY_NONE, ANY,
      200, "Deliveries of an endpoint, newest first", PAGE "; status: only these" },
    { "POST", "/api/webhooks/{id}/replay", "webhooks:write", webhooks_replay, BODY_JSON, REPLAY, 202,
      "Deliver the events of a time window again: the failed, the missing or all; a job, or, "
      "dry, the count of what it would deliver", NULL },
    { "POST", "/api/plugins/{id}/replay", "plugins:write", plugins_replay, BODY_JSON, REPLAY, 202,
      "The same for a plugin, of the events of one org", NULL },
    { "GET", "/api/replays", "webhooks:read", replays_get_list, BODY_NONE, ANY, 200,
      "Replays of an org, newest first", ORG },
    { "GET", "/api/replays/{id}", "webhooks:read", replays_get, BODY_NONE, ANY, 200,
      "How far a replay is", ORG },
    { "DELETE", "/api/replays/{id}", "webhooks:write", replays_delete, BODY_NONE, ANY, 200,
      "Cancel a replay; what it enqueued is delivered", ORG },
    { "GET", "/api/deliveries", "events:read", deliveries_list, BODY_NONE, ANY, 200,
      "Deliveries of an org to all of its targets, those of the newest event first", PAGE "; status: only "
      "these: pending delivering retrying delivered dead cancelled (a page holds fewer where many others "
      "are between them: go on with next); event: only of this type; since: of events accepted then or "
      "later (RFC 3339); until: of events accepted before" },
    { "GET", "/api/deliveries/{id}", "events:read", deliveries_get, BODY_NONE, ANY, 200,
      "A delivery: each attempt, what came back, what comes next", ORG },
    { "POST", "/api/deliveries/{id}/retry", "webhooks:write", deliveries_retry, BODY_NONE, ANY, 202,
      "Make a delivery now, whatever its state", ORG },
    { "GET", "/api/plugins/available", "plugins:read", plugins_get_available, BODY_NONE, ANY, 200,
      "Plugins that can be installed", NULL },
    { "GET", "/api/plugins/installed", "plugins:read", plugins_get_installed, BODY_NONE, ANY, 200,
      "Installed plugins, secrets masked", NULL },
    { "POST", "/api/plugins/install", "plugins:write", plugins_post_install, BODY_JSON, INSTALL, 200,
      "Install a plugin: read, inspect, configure, set up; all or nothing", NULL },
    { "PUT", "/api/plugins/{id}/config", "plugins:write", plugins_put_config, BODY_JSON, ANY, 200,
      "Replace a plugin's configuration; a secret given as *** stays as it is", NULL },
    { "DELETE", "/api/plugins/{id}", "plugins:write", plugins_delete, BODY_NONE, ANY, 200,
      "Uninstall a plugin", NULL },
    { "POST", "/api/plugins/{id}/reload", "plugins:write", plugins_post_reload, BODY_NONE, ANY, 200,
      "Read a plugin's source again; the old version serves until the new one does", NULL },
    { "POST", "/api/plugins/{id}/rollback", "plugins:write", plugins_post_rollback, BODY_NONE, ANY,
      200, "Go back to the version before, or from there to the newer one again", NULL },
    { "POST", "/api/plugins/{id}/enable", "plugins:write", plugins_post_enable, BODY_NONE, ANY, 200,
      "Start a disabled plugin", NULL },
    { "POST", "/api/plugins/{id}/disable", "plugins:write", plugins_post_disable, BODY_NONE, ANY,
      200, "Stop a plugin; its deliveries wait", NULL },
    { "GET", "/api/plugins/{id}/logs", "plugins:read", plugins_get_logs, BODY_NONE, ANY, 200,
      "A plugin's newest log lines", NULL },
    { "GET", "/api/plugins/{id}/metrics", "plugins:read", plugins_get_metrics, BODY_NONE, ANY, 200,
      "A plugin's counters", NULL },
    { "GET", "/api/plugins/{id}/deliveries", "plugins:read", plugins_get_deliveries, BODY_NONE, ANY,
      200, "Deliveries of a plugin, newest first", PAGE "; status: only these" },
    { "GET", "/api/keys", "keys:write", keys_get, BODY_NONE, ANY, 200, "List API keys", NULL },
    { "POST", "/api/keys", "keys:write", keys_post, BODY_JSON, KEY, 201,
      "Create an API key; the answer shows it, once", NULL },
    { "POST", "/api/keys/rotate-master", "admin", keys_rotate_master, BODY_NONE, ANY, 200,
      "Change the master key: every stored secret is sealed anew", NULL },
    { "DELETE", "/api/keys/{id}", "keys:write", keys_delete, BODY_NONE, ANY, 200,
      "Revoke an API key", NULL },
    { "GET", "/healthz", NULL, health_live, BODY_NONE, ANY, 200, "Is the process alive", NULL },
    { "GET", "/readyz", NULL, health_ready, BODY_NONE, ANY, 200, "Can events be accepted", NULL },
    { "GET", "/metrics", NULL, health_metrics, BODY_NONE, ANY, 200, "Prometheus text", NULL },
    { "GET", "/openapi.json", NULL, openapi_get, BODY_NONE, ANY, 200, "This description", NULL },
};
const size_t route_count = ARRAY_LEN(routes);

/* Compares segment by segment; a segment "{id}" takes any one that is not empty. */
static bool path_matches(const char *pattern, const char *path, char *id, size_t id_bytes)
{
    const char *at = strstr(pattern, "{id}");

    if (at == NULL)
        return strcmp(pattern, path) == 0;
    size_t head = (size_t)(at - pattern);
    if (strncmp(pattern, path, head) != 0)
        return false;
    size_t len = strcspn(path + head, "/");
    if (len == 0 || len >= id_bytes || strcmp(path + head + len, at + strlen("{id}")) != 0)
        return false;
    memcpy(id, path + head, len);
    id[len] = '\0';
    return true;
}

static bool method_matches(const char *of_route, const char *method)
{
    return strcmp(of_route, strcmp(method, "HEAD") == 0 ? "GET" : method) == 0;
}

enum mh_err route_find(const char *method, const char *path, const struct route **out, char *id,
                       size_t id_bytes, char *allow, size_t allow_bytes)
{
    size_t used = 0;

    for (size_t i = 0; i < route_count; i++) {
        if (!path_matches(routes[i].path, path, id, id_bytes))
            continue;
        if (method_matches(routes[i].method, method)) {
            *out = &routes[i];
            return MH_OK;
        }
        int n = snprintf(allow + used, allow_bytes - used, "%s%s", used ? ", " : "",
                         routes[i].method);
        used += n > 0 && (size_t)n < allow_bytes - used ? (size_t)n : 0;
    }
    return used > 0 ? MH_METHOD : MH_NOT_FOUND;
}
