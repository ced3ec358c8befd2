/* plugins_record.h - an installed plugin as Redis keeps it: one JSON object with the
 * version that serves and the one before it, files and all, secrets sealed.
 *
 *     {"manifest":{..},"files":{..},"config":{..},"source":"..","enabled":true,
 *      "before":{"manifest":..,"files":..,"config":..,"source":..}} */
#pragma once

#include "core/plugin.h"
#include "core/vault.h"

/* `before` may be NULL; the caller owns what is returned. */
json_t *plugins_record(const struct vault *vault, const struct plugin_version *version,
                       const struct plugin_version *before, bool enabled);

/* Fills *version and *before (`files` is NULL where there is none, or none that can be
 * read: that is logged and no failure); the caller owns both. MH_INVALID; MH_DENIED: a
 * secret was sealed under another key. */
MH_MUST_USE enum mh_err plugins_record_read(const struct vault *vault, const json_t *record,
                                            struct plugin_version *version,
                                            struct plugin_version *before);

/* What a secret of a configuration, of either version, is sealed about (vault.h). */
void plugins_secret_about(const char *name, const char *field, char out[VAULT_ABOUT_BYTES]);
