/* plugins_record.c - see plugins_record.h. */
#include "core/plugins_record.h"

#include "base/log.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void plugins_secret_about(const char *name, const char *field, char out[VAULT_ABOUT_BYTES])
{
    snprintf(out, VAULT_ABOUT_BYTES, "plugin:%s:%s", name, field);
}

static json_t *seal_config(const struct vault *vault, const struct plugin_version *v)
{
    json_t     *sealed = json_object(), *value;
    const char *field;
    char        about[VAULT_ABOUT_BYTES];

    json_object_foreach(v->config, field, value) {
        if (!manifest_is_secret(&v->manifest, field) || !json_is_string(value)) {
            json_put(sealed, field, json_incref(value));
            continue;
        }
        plugins_secret_about(v->manifest.name, field, about);
        char *text = vault_seal(vault, about, json_string_value(value));
        json_put(sealed, field, json_string(text));
        free(text);
    }
    return sealed;
}

static enum mh_err unseal_config(const struct vault *vault, const struct manifest *m,
                                 const json_t *sealed, json_t **out)
{
    json_t     *plain = json_object(), *value;
    const char *field;
    char        about[VAULT_ABOUT_BYTES], *text;

    json_object_foreach((json_t *)sealed, field, value) {
        if (!manifest_is_secret(m, field) || !json_is_string(value)) {
            json_put(plain, field, json_incref(value));
            continue;
        }
        plugins_secret_about(m->name, field, about);
        if (vault_unseal(vault, about, json_string_value(value), &text) != MH_OK) {
            json_decref(plain);
            return MH_DENIED;
        }
        json_put(plain, field, json_string(text));
        explicit_bzero(text, strlen(text));
        free(text);
    }
    *out = plain;
    return MH_OK;
}

static json_t *write_version(const struct vault *vault, const struct plugin_version *v)
{
    return json_pack("{s:O, s:O, s:o, s:s}", "manifest", v->manifest.json, "files", v->files,
                     "config", seal_config(vault, v), "source", v->source);
}

json_t *plugins_record(const struct vault *vault, const struct plugin_version *version,
                       const struct plugin_version *before, bool enabled)
{
    json_t *record = write_version(vault, version);

    json_put(record, "enabled", json_boolean(enabled));
    if (before != NULL)
        json_put(record, "before", write_version(vault, before));
    return record;
}

static enum mh_err read_version(const struct vault *vault, const json_t *stored,
                                struct plugin_version *out)
{
    struct json_fault     fault = { .text = "" };
    struct plugin_version v = { .source = mem_strdup(json_text_of(stored, "source", "")) };

    enum mh_err err = manifest_read(json_object_get(stored, "manifest"), &v.manifest, &fault);
    if (err == MH_OK)
        err = unseal_config(vault, &v.manifest, json_object_get(stored, "config"), &v.config);
    v.files = json_incref(json_object_get(stored, "files"));
    if (err == MH_OK && v.files != NULL) {
        *out = v;
        return MH_OK;
    }
    plugin_version_deinit(&v);
    return err != MH_OK ? err : MH_INVALID;
}

enum mh_err plugins_record_read(const struct vault *vault, const json_t *record,
                                struct plugin_version *version, struct plugin_version *before)
{
    const json_t *earlier = json_object_get(record, "before");
    enum mh_err   err = read_version(vault, record, version);

    *before = (struct plugin_version){ .files = NULL };
    if (err != MH_OK || earlier == NULL)
        return err;
    err = read_version(vault, earlier, before);
    if (err != MH_OK)
        LOG_WARN("plugin_before_not_loaded", "plugin=%s error=%s", version->manifest.name,
                 err_code(err));
    return MH_OK;
}
