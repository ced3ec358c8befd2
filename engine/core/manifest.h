/* manifest.h - what a plugin says it is, as captured at install and frozen; and
 * configurations checked against it. Pure. */
#pragma once

#include "core/event.h"
#include "core/limits.h"
#include "core/policy.h"
#include "core/vault.h"

enum { MANIFEST_MAX_PERMISSIONS = 64, MANIFEST_MAX_FIELDS = 64 };

/* Which hook takes an event type, and the permission that it needs. Other types
 * go to on_event, with "events:read". */
struct hook_row { const char *event, *hook, *permission; };
const struct hook_row *manifest_hook_of(const char *event_type);

struct manifest {
    json_t     *json;                       /* owns everything below */
    const char *name, *version;
    json_t     *limits;                     /* as stated; may be NULL */
    bool        drop, jit, setup;           /* fail = "drop"; permission jit; has setup */
};

/* Checks and takes over (counts) the object that a jail made of plugin.lua.
 * MH_UNPROCESSABLE with a pointer into the manifest. */
MH_MUST_USE enum mh_err manifest_read(json_t *json, struct manifest *out,
                                      struct json_fault *fault);
void manifest_deinit(struct manifest *m);

/* 1 to 40 of a-z 0-9 and '-', beginning with a letter. */
bool manifest_name_valid(const char *name);

bool manifest_has_hook(const struct manifest *m, const char *hook);
bool manifest_permits(const struct manifest *m, const char *permission);
bool manifest_wants(const struct manifest *m, const char *event_type);

/* Two manifests ask for the same and do the same (name, permissions, hooks, config). */
bool manifest_same(const struct manifest *a, const struct manifest *b);

/* May the plugin, configured so (plain values), reach `url`? */
bool manifest_may_reach(const struct manifest *m, const json_t *config,
                        const struct policy_url *url);

/* ---- Configuration ------------------------------------------------------------------- */

/* Checks `given` (plain values) against the fields, fills in defaults. `before`: the
 * old configuration or NULL: a secret given as "***" keeps its old value. The caller
 * owns *out. MH_UNPROCESSABLE with one {"pointer","detail"} per problem in *faults,
 * which the caller then owns. */
MH_MUST_USE enum mh_err manifest_config(const struct manifest *m, const json_t *given,
                                        const json_t *before, json_t **out, json_t **faults);

bool manifest_is_secret(const struct manifest *m, const char *field);

/* The configuration with secrets as "***"; the caller owns it. */
json_t *manifest_mask(const struct manifest *m, const json_t *config);
/* With tokens in place of secrets, which go to `seals`. */
json_t *manifest_tokens(const struct manifest *m, const json_t *config, struct seals *seals);
