/* settings.h - every setting of `moonhook serve`, in one table.
 *
 * The table is the single source of the flag (--redis-fsync), the environment
 * variable (MOONHOOK_REDIS_FSYNC), the key of the configuration file
 * (redis-fsync = always), the default, the check and the help. Flags win over
 * the environment, the environment over the file, the file over the default.
 * A LIST may be given several times; in the environment and the file its items
 * are separated by commas. */
#pragma once

#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* field, kind, flag, default, minimum, maximum, value name, help */
#define MH_SETTINGS(X)                                                                             \
    X(listen, TEXT, "listen", "127.0.0.1:8420", 0, 0, "ADDR:PORT",                                 \
      "where REST, events and the page are served; port 0 lets the kernel choose")                 \
    X(data, TEXT, "data", "./moonhook-data", 0, 0, "DIR",                                          \
      "keys, the admin token and the managed Redis live here; made if missing (0700)")             \
    X(workers, COUNT, "workers", "1", 1, 64, "N",                                                  \
      "engines on this port, each a process of its own; more than 1 makes use of more processors") \
    X(redis, TEXT, "redis", "", 0, 0, "URL",                                                       \
      "redis://, rediss://, redis+sentinel://H,H/MASTER, redis+cluster://H,H or unix:/path; "      \
      "none: moonhook runs its own redis-server")                                                  \
    X(redis_wait, COUNT, "redis-wait", "0", 0, 16, "N",                                            \
      "replicas that must have an event before it is answered 202; 0: the master is enough")       \
    X(redis_wait_timeout, DURATION, "redis-wait-timeout", "1s", 10, 4000, "DURATION",              \
      "how long they may take; then the event is answered 503")                                    \
    X(redis_fsync, TEXT, "redis-fsync", "always", 0, 0, "always|everysec",                         \
      "when the managed Redis forces accepted events to disk")                                     \
    X(redis_memory, SIZE, "redis-memory", "0", 0, 1LL << 50, "BYTES",                              \
      "memory limit of the managed Redis; 0: none")                                                \
    X(redis_server, TEXT, "redis-server", "redis-server", 0, 0, "PROGRAM",                         \
      "the program that is the managed Redis")                                                     \
    X(queue_shards, COUNT, "queue-shards", "1", 1, 64, "N",                                        \
      "parts of the queue, by org, each with a slot of a Redis Cluster; on one Redis more than 1 " \
      "only cost commands")                                                                        \
    X(prefix, TEXT, "prefix", "mh", 0, 0, "WORD", "first part of every key in Redis")              \
    X(plugins, LIST, "plugins", "", 0, 0, "DIR",                                                   \
      "a folder of plugin folders, besides the shipped ones")                                      \
    X(watch, FLAG, "watch", "false", 0, 0, "",                                                     \
      "reload a plugin when a file in its folder is saved")                                        \
    X(sandbox, TEXT, "sandbox", "", 0, 0, "PROGRAM",                                               \
      "the sandbox program; none: moonhook-sandbox beside moonhook")                               \
    X(require_jail, TEXT, "require-jail", "best", 0, 0, "best|full",                               \
      "full: refuse to run where the kernel lacks a layer of the plugins' jail")                   \
    X(allow_private, LIST, "allow-private", "", 0, 0, "CIDR",                                      \
      "private addresses that plugins and webhooks may reach")                                     \
    X(ca_file, TEXT, "ca-file", "", 0, 0, "FILE",                                                  \
      "PEM certificates trusted besides the system's, for outbound TLS")                           \
    X(tls_cert, TEXT, "tls-cert", "", 0, 0, "FILE", "serve HTTPS with this PEM certificate chain") \
    X(tls_key, TEXT, "tls-key", "", 0, 0, "FILE", "the private key of --tls-cert")                 \
    X(retry_schedule, TEXT, "retry-schedule", "0s,5s,5m,30m,2h,5h,10h,14h,20h,24h", 0, 0,          \
      "DURATIONS", "delays before each attempt to deliver a webhook, +-10 % jitter")               \
    X(plugin_retry_schedule, TEXT, "plugin-retry-schedule", "0s,2s,10s,1m,5m,30m", 0, 0,           \
      "DURATIONS", "the same for plugin hooks")                                                    \
    X(webhook_timeout, DURATION, "webhook-timeout", "15s", 100, 120000, "DURATION",                \
      "how long one attempt to deliver a webhook may take")                                        \
    X(webhook_concurrency, COUNT, "webhook-concurrency", "64", 1, 10000, "N",                      \
      "attempts under way at once to one webhook endpoint")                                        \
    X(webhook_attempts, COUNT, "webhook-attempts", "1000", 1, 100000, "N",                         \
      "the same to all webhook endpoints together; shared fairly between them")                    \
    X(webhook_probe_after, DURATION, "webhook-probe-after", "30s", 10, 3600000, "DURATION",        \
      "first wait of an endpoint that only fails, until one delivery probes it")                   \
    X(webhook_disable_after, DURATION, "webhook-disable-after", "5d", 0, 315360000000LL,           \
      "DURATION", "an endpoint that does nothing but fail for so long is disabled; 0: never")      \
    X(webhook_secret_overlap, DURATION, "webhook-secret-overlap", "24h", 0, 31536000000LL,         \
      "DURATION", "how long older secrets of an endpoint live after a rotation")                   \
    X(hook_timeout, DURATION, "hook-timeout", "10s", 10, 300000, "DURATION",                       \
      "the most that a plugin's limits.timeout_ms may ask for")                                    \
    X(hook_cpu, DURATION, "hook-cpu", "2s", 10, 300000, "DURATION",                                \
      "the same for limits.cpu_ms: CPU time of a hook")                                            \
    X(hook_memory, SIZE, "hook-memory", "64m", 1 << 20, 1LL << 32, "BYTES",                        \
      "the same for limits.memory_mb")                                                             \
    X(hook_result, SIZE, "hook-result", "256k", 1024, 4 << 20, "BYTES",                            \
      "the same for limits.result_kb: what a hook returns, as JSON")                               \
    X(hook_concurrency, COUNT, "hook-concurrency", "64", 1, 10000, "N",                            \
      "hooks under way at once in one plugin")                                                     \
    X(plugin_requests, COUNT, "plugin-requests", "64", 1, 10000, "N",                              \
      "the most that limits.requests may ask for: a plugin's requests at once")                    \
    X(plugin_log_lines, COUNT, "plugin-log-lines", "1000", 1, 1000000, "N",                        \
      "the same for limits.log_lines_per_s")                                                       \
    X(plugin_log_bytes, SIZE, "plugin-log-bytes", "256k", 1024, 1 << 30, "BYTES",                  \
      "the same for limits.log_kb_per_s")                                                          \
    X(plugin_store_keys, COUNT, "plugin-store-keys", "10000", 1, 1000000, "N",                     \
      "the same for limits.store_keys: keys that a plugin stores, per org")                        \
    X(plugin_store_bytes, SIZE, "plugin-store-bytes", "16m", 1024, 1LL << 40, "BYTES",             \
      "the same for limits.store_kb")                                                              \
    X(plugin_events, COUNT, "plugin-events", "100", 1, 1000000, "N",                               \
      "the same for limits.events_per_s: events that a plugin emits")                              \
    X(idle_timeout, DURATION, "idle-timeout", "60s", 0, 86400000, "DURATION",                      \
      "how long a plugin without an event keeps its process; 0: always")                           \
    X(max_body, SIZE, "max-body", "1m", 1024, 1 << 23, "BYTES", "the largest request body")        \
    X(max_connections, COUNT, "max-connections", "4096", 16, 65536, "N",                           \
      "client connections at once")                                                                \
    X(max_owned, COUNT, "max-owned", "10000", 100, 1000000, "N",                                   \
      "deliveries that one engine holds in memory; the rest wait in Redis")                        \
    X(max_owned_bytes, SIZE, "max-owned-bytes", "256m", 16 << 20, 1LL << 40, "BYTES",              \
      "the same by their bytes, an event counting once")                                           \
    X(max_backlog, COUNT, "max-backlog", "1000000", 1000, 1LL << 40, "N",                          \
      "deliveries waiting in Redis past which events are answered 429")                            \
    X(retention, DURATION, "retention", "7d", 86400000, 315360000000LL, "DURATION",                \
      "how long events and their deliveries can be read")                                          \
    X(retention_count, COUNT, "retention-count", "10000", 10, 1LL << 30, "N",                      \
      "deliveries listed per webhook or plugin")                                                   \
    X(retention_events, COUNT, "retention-events", "1000000", 10, 1LL << 40, "N",                  \
      "events kept per org; older ones go when their deliveries have ended")                       \
    X(retention_dead, COUNT, "retention-dead", "100000", 10, 1LL << 40, "N",                       \
      "dead letters counted as such, per shard; older ones are kept as other deliveries are")      \
    X(replay_rate, COUNT, "replay-rate", "100", 1, 10000, "N",                                     \
      "deliveries a second of a replay that does not name its rate")                               \
    X(drain_timeout, DURATION, "drain-timeout", "10s", 0, 600000, "DURATION",                      \
      "how long SIGTERM waits for what is under way")                                              \
    X(log_level, TEXT, "log-level", "info", 0, 0, "debug|info|warn|error", "what is logged")

struct setting_list { char **item; size_t count; };

typedef char               *setting_TEXT;       /* never NULL; "" where nothing is set */
typedef int64_t             setting_DURATION;   /* milliseconds */
typedef int64_t             setting_SIZE;       /* bytes; "64k", "1m", "2g" are understood */
typedef int64_t             setting_COUNT;
typedef bool                setting_FLAG;
typedef struct setting_list setting_LIST;

struct settings {
#define X(field, kind, flag, otherwise, min, max, value, help) setting_##kind field;
    MH_SETTINGS(X)
#undef X
};

/* Fills *out from argv (without the program's and the command's name), the
 * environment and the file that --config FILE or MOONHOOK_CONFIG names. On
 * MH_INVALID, `why` has a sentence that names the setting, where it was given
 * and what it takes; nothing is to be freed then. */
MH_MUST_USE enum mh_err settings_load(int argc, char **argv, struct settings *out, char *why,
                                      size_t why_bytes);
void settings_free(struct settings *s);

/* The help of every setting, for `moonhook serve --help`; malloc'ed. */
char *settings_help(void);
