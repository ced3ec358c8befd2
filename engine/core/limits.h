/* limits.h - what one plugin may use, in one table.
 *
 * The table is the single source of the fields of a manifest's `limits`, of their
 * defaults, of the operator's ceilings (settings of the same row), of the word that
 * errors and metrics use, and of the help. A plugin that asks for more than the
 * operator's ceiling gets the ceiling. */
#pragma once

#include "base/util.h"
#include "io/json.h"

/* NAME, field, in the manifest, one of it in the field's unit, default, setting, what is limited */
#define MH_LIMITS(X)                                                                               \
    X(TIMEOUT,    timeout_ms,   "timeout_ms",      1,       5000,            hook_timeout,         \
      "time of a hook, waiting included")                                                          \
    X(CPU,        cpu_ms,       "cpu_ms",          1,       1000,            hook_cpu,             \
      "CPU time of a hook")                                                                        \
    X(MEMORY,     memory_bytes, "memory_mb",       MH_MIB,  32LL * MH_MIB,   hook_memory,          \
      "memory of the plugin")                                                                      \
    X(RESULT,     result_bytes, "result_kb",       MH_KIB,  256LL * MH_KIB,  hook_result,          \
      "a hook's result, as JSON")                                                                  \
    X(LOG_LINES,  log_lines,    "log_lines_per_s", 1,       1000,            plugin_log_lines,     \
      "log lines a second")                                                                        \
    X(LOG_BYTES,  log_bytes,    "log_kb_per_s",    MH_KIB,  256LL * MH_KIB,  plugin_log_bytes,     \
      "log bytes a second")                                                                        \
    X(REQUESTS,   requests,     "requests",        1,       64,              plugin_requests,      \
      "requests under way at once")                                                                \
    X(STORE_KEYS, store_keys,   "store_keys",      1,       1000,            plugin_store_keys,    \
      "keys that are stored, per org")                                                             \
    X(STORE_BYTES, store_bytes, "store_kb",        MH_KIB,  1024LL * MH_KIB, plugin_store_bytes,   \
      "bytes that are stored, per org")                                                            \
    X(EVENTS,     events,       "events_per_s",    1,       10,              plugin_events,        \
      "events emitted a second")

/* What a manifest may say of itself, in bytes: a pointer into it, where * is each field or item, and
 * the most that may stand there. */
#define MH_MANIFEST_TEXTS(X)                                                                       \
    X("/version",                40)                                                               \
    X("/author",                 100)                                                              \
    X("/description",            1000)                                                             \
    X("/categories/*",           40)                                                               \
    X("/permissions/*",          300)                                                              \
    X("/config/*/description",   1000)

enum { LIMITS_CATEGORIES = 20, LIMITS_FIELD_NAME_BYTES = 64,
       LIMITS_MANIFEST_BYTES = 64 * 1024 };  /* of all of it, as JSON: defaults, choices and the rest */

enum limit {
#define X(NAME, field, manifest, unit, otherwise, setting, what) LIMIT_##NAME,
    MH_LIMITS(X)
#undef X
    LIMIT_COUNT,
    LIMIT_NONE = LIMIT_COUNT
};

/* Of one plugin, or the ceilings of all. Bytes, milliseconds, counts. */
struct limits {
#define X(NAME, field, manifest, unit, otherwise, setting, what) int64_t field;
    MH_LIMITS(X)
#undef X
};

enum { LIMITS_MOST = 1000000 };             /* in the manifest's unit: ceilings are lower */

const char *limit_name(enum limit which);   /* "cpu_ms", as manifests write it */

/* A manifest's `limits` (NULL: none): names that are known, whole numbers from 1 to
 * LIMITS_MOST. MH_UNPROCESSABLE with the pointer. */
MH_MUST_USE enum mh_err limits_check(const json_t *asked, struct json_fault *fault);

/* What a checked `limits` comes to under these ceilings. */
struct limits limits_of(const json_t *asked, const struct limits *ceilings);

/* {"timeout_ms":5000,...}, in the manifest's units; the caller owns it. */
json_t *limits_json(const struct limits *limits);
