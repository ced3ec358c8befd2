/* commands.c - see commands.h. */
#include "cli/commands.h"

#include "cli/client.h"
#include "core/settings.h"

#define FLAG(name, help)         { name, OPTION_FLAG, NULL, help }
#define VALUE(name, value, help) { name, OPTION_VALUE, value, help }
#define MAYBE(name, value, help) { name, OPTION_MAYBE, value, help }

static const struct option_spec event_send_options[] = {
    VALUE("data", "JSON", "the event's data: JSON, @FILE, or - for standard input; none: {}"),
    VALUE("id", "ID", "your own id: sent again within 24 h, the event is accepted once"),
    VALUE("org", "ORG", "the org it belongs to; none: the key's"),
    MAYBE("wait", "MS", "wait for the plugins' results, at most MS (10000)"),
    VALUE("batch", "@FILE", "send every line of an NDJSON file as an event; - for standard input"),
    { 0 },
};

static const struct option_spec event_show_options[] = {
    VALUE("org", "ORG", "the org whose event it is; none: the key's"),
    { 0 },
};

#define FILTER_HELP "which, by content: a JSON list of conditions, @FILE, or -; [] for none"
#define ENDPOINT_OPTIONS                                                                           \
    VALUE("filter", "JSON", FILTER_HELP),                                                          \
    VALUE("description", "TEXT", "for people"),                                                    \
    VALUE("header", "NAME=VALUE", "a header of your own, instead of those it had; repeatable"),    \
    VALUE("schedule", "DELAYS", "before each attempt: 0s,5s,5m; default: the server's"),           \
    VALUE("timeout", "TIME", "of one attempt: 10s; default: the server's"),                        \
    VALUE("concurrency", "N", "attempts at once; default: the server's"),                          \
    VALUE("rate-limit", "N", "attempts a second, 0.01 to 10000; none: no limit"),                  \
    VALUE("active", "yes|no", "whether it gets anything"),                                         \
    MAYBE("ed25519", "no", "sign with an Ed25519 key as well; its public half is shown")

static const struct option_spec webhook_add_options[] = {
    VALUE("events", "TYPES", "alert,sla_*,... or * for all, which is the default"),
    VALUE("org", "ORG", "the org whose events it gets; none: the key's"),
    ENDPOINT_OPTIONS,
    { 0 },
};

/* --url is where the engine is: see client_options. */
static const struct option_spec webhook_update_options[] = {
    VALUE("to", "URL", "another address"),
    VALUE("events", "TYPES", "alert,sla_*,... or * for all"),
    ENDPOINT_OPTIONS,
    FLAG("no-headers", "none of your own any more"),
    { 0 },
};

static const struct option_spec webhook_filter_test_options[] = {
    VALUE("newest", "N", "the newest N events of its org; 20 where no event is named"),
    VALUE("event", "TYPE", "an event of this type, with --data"),
    VALUE("data", "JSON", "the data of that event: JSON, @FILE, or -; none: {}"),
    VALUE("filter", "JSON", "try this filter instead of the one that it has"),
    VALUE("events", "TYPES", "try these types instead of those that it has"),
    { 0 },
};

static const struct option_spec webhook_rotate_options[] = {
    VALUE("overlap", "DURATION", "how long the older secrets live on; none: as the server says (24h)"),
    { 0 },
};

static const struct option_spec status_options[] = {
    VALUE("status", "STATUS", "only pending, delivering, retrying, delivered, dead or cancelled"),
    { 0 },
};

static const struct option_spec replay_options[] = {
    VALUE("since", "WHEN", "events accepted then or later: 2h (ago), or 2026-01-22T10:00:00Z"),
    VALUE("until", "WHEN", "events accepted before; none: until now"),
    VALUE("only", "WHICH", "failed, which is the default, missing or all"),
    FLAG("dry-run", "deliver nothing, only count"),
    VALUE("rate", "N", "deliveries a second; none: what the server has"),
    { 0 },
};

static const struct option_spec plugin_install_options[] = {
    VALUE("config", "KEY=VALUE", "one configuration value, or @FILE.json with all; repeatable"),
    { 0 },
};

static const struct option_spec key_create_options[] = {
    VALUE("org", "ORG", "the org that the key belongs to; none: default"),
    VALUE("scope", "SCOPE", "what it may do; repeatable"),
    VALUE("name", "TEXT", "for people"),
    { 0 },
};

static const struct option_spec listen_options[] = {
    VALUE("port", "N", "on 127.0.0.1; 0, the default, lets the kernel choose"),
    VALUE("secret", "WHSEC", "verify every request, answer others 401; - reads it from stdin"),
    VALUE("public-key", "WHPK", "verify by this Ed25519 key (v1a), alone or besides --secret"),
    VALUE("status", "CODE", "answer verified requests with this status (200)"),
    VALUE("count", "N", "end with exit code 0 after N verified requests"),
    FLAG("json", "print one line of JSON per request"),
    VALUE("name", "LABEL", "put before every request that is printed"),
    { 0 },
};

const struct command commands[] = {
    { .name = "serve", .arguments = "[--SETTING VALUE]...", .help = "run the engine",
      .run_raw = cmd_serve_run, .more_help = settings_help },

    { .name = "event send", .arguments = "TYPE [OPTION]...  |  --batch @FILE.ndjson",
      .help = "send an event", .options = event_send_options, .common = client_options,
      .max_words = 1, .run = cmd_event_send },
    { .name = "event show", .arguments = "ID [OPTION]...",
      .help = "tell an event's whole story", .options = event_show_options,
      .common = client_options, .min_words = 1, .max_words = 1, .run = cmd_event_show },

    { .name = "webhook add", .arguments = "URL [OPTION]...",
      .help = "add an endpoint; its secret is shown once", .options = webhook_add_options,
      .common = client_options, .min_words = 1, .max_words = 1, .run = cmd_webhook_add },
    { .name = "webhook update", .arguments = "ID OPTION...", .help = "change an endpoint",
      .options = webhook_update_options, .common = client_options, .min_words = 1, .max_words = 1,
      .run = cmd_webhook_update },
    { .name = "webhook list", .arguments = "", .help = "list the endpoints",
      .common = client_options, .run = cmd_webhook_list },
    { .name = "webhook show", .arguments = "ID", .help = "show one endpoint",
      .common = client_options, .min_words = 1, .max_words = 1, .run = cmd_webhook_show },
    { .name = "webhook remove", .arguments = "ID", .help = "remove an endpoint",
      .common = client_options, .min_words = 1, .max_words = 1, .run = cmd_webhook_remove },
    { .name = "webhook rotate", .arguments = "ID [OPTION]...",
      .help = "make a new secret, shown once; older ones live on for a while",
      .options = webhook_rotate_options, .common = client_options, .min_words = 1, .max_words = 1,
      .run = cmd_webhook_rotate },
    { .name = "webhook test", .arguments = "ID", .help = "send a test event to one endpoint",
      .common = client_options, .min_words = 1, .max_words = 1, .run = cmd_webhook_test },
    { .name = "webhook filter-test", .arguments = "ID [EVENT_ID]... [OPTION]...",
      .help = "tell which events would go to an endpoint, and why others not",
      .options = webhook_filter_test_options, .common = client_options, .min_words = 1,
      .max_words = ANY_WORDS, .run = cmd_webhook_filter_test },
    { .name = "webhook deliveries", .arguments = "ID [OPTION]...",
      .help = "list what was sent to an endpoint", .options = status_options,
      .common = client_options, .min_words = 1, .max_words = 1, .run = cmd_webhook_deliveries },
    { .name = "webhook retry", .arguments = "DELIVERY_ID", .help = "try a delivery again, now",
      .common = client_options, .min_words = 1, .max_words = 1, .run = cmd_webhook_retry },

    { .name = "webhook replay", .arguments = "ID --since WHEN [OPTION]...",
      .help = "send an endpoint what it missed", .options = replay_options,
      .common = client_options, .min_words = 1, .max_words = 1, .run = cmd_webhook_replay },
    { .name = "webhook replays", .arguments = "", .help = "list the replays",
      .common = client_options, .run = cmd_webhook_replays },
    { .name = "webhook cancel-replay", .arguments = "REPLAY_ID", .help = "end a replay",
      .common = client_options, .min_words = 1, .max_words = 1, .run = cmd_webhook_replay_cancel },

    { .name = "plugin available", .arguments = "", .help = "list the plugins that can be installed",
      .common = client_options, .run = cmd_plugin_available },
    { .name = "plugin list", .arguments = "", .help = "list the installed plugins",
      .common = client_options, .run = cmd_plugin_list },
    { .name = "plugin install", .arguments = "SOURCE [KEY=VALUE]...",
      .help = "install a plugin: a name, or a folder", .options = plugin_install_options,
      .common = client_options, .min_words = 1, .max_words = ANY_WORDS, .run = cmd_plugin_install },
    { .name = "plugin config", .arguments = "NAME [KEY=VALUE]...",
      .help = "show a plugin's configuration, or replace it", .options = plugin_install_options,
      .common = client_options, .min_words = 1, .max_words = ANY_WORDS, .run = cmd_plugin_config },
    { .name = "plugin remove", .arguments = "NAME", .help = "uninstall a plugin",
      .common = client_options, .min_words = 1, .max_words = 1, .run = cmd_plugin_remove },
    { .name = "plugin reload", .arguments = "NAME", .help = "read a plugin's files again",
      .common = client_options, .min_words = 1, .max_words = 1, .run = cmd_plugin_reload },
    { .name = "plugin rollback", .arguments = "NAME", .help = "go back to a plugin's version before",
      .common = client_options, .min_words = 1, .max_words = 1, .run = cmd_plugin_rollback },
    { .name = "plugin enable", .arguments = "NAME", .help = "let a disabled plugin work again",
      .common = client_options, .min_words = 1, .max_words = 1, .run = cmd_plugin_enable },
    { .name = "plugin disable", .arguments = "NAME", .help = "stop a plugin, keep it installed",
      .common = client_options, .min_words = 1, .max_words = 1, .run = cmd_plugin_disable },
    { .name = "plugin logs", .arguments = "NAME", .help = "print what a plugin logged",
      .common = client_options, .min_words = 1, .max_words = 1, .run = cmd_plugin_logs },
    { .name = "plugin new", .arguments = "NAME", .help = "write a folder to start a plugin from",
      .min_words = 1, .max_words = 1, .run = cmd_plugin_new },

    { .name = "key create", .arguments = "[OPTION]...", .help = "make an API key; it is shown once",
      .options = key_create_options, .common = client_options, .run = cmd_key_create },
    { .name = "key list", .arguments = "", .help = "list the API keys",
      .common = client_options, .run = cmd_key_list },
    { .name = "key revoke", .arguments = "ID", .help = "revoke an API key",
      .common = client_options, .min_words = 1, .max_words = 1, .run = cmd_key_revoke },
    { .name = "key rotate-master", .arguments = "",
      .help = "change the key that secrets are kept under; needs the admin key",
      .common = client_options, .run = cmd_key_rotate_master },

    { .name = "listen", .arguments = "[OPTION]...",
      .help = "receive webhooks here, verify and print them", .options = listen_options,
      .run = cmd_listen_run },
    { .name = NULL },
};
