/* plugins_available.c - what could be installed: every folder's manifest, found out
 * one after another in a jail without permissions. */
#include "core/plugins.h"

#include "core/source.h"

#include <stdlib.h>
#include <string.h>

struct survey {
    const struct instance_host *host;       /* lives longer than what knows the folders */
    plugins_done               *done;
    void                       *arg;
    json_t                     *folders, *found;     /* still to look at; answer */
};

static void look_at_next(struct survey *s);

static json_t *defaults_of(const json_t *fields)
{
    json_t     *defaults = json_object(), *field;
    const char *name;

    json_object_foreach((json_t *)fields, name, field) {
        json_t *value = json_object_get(field, "default");
        if (value != NULL)
            json_put(defaults, name, json_incref(value));
    }
    return defaults;
}

static json_t *or_empty(json_t *value, json_t *empty)
{
    if (value == NULL)
        return empty;
    json_decref(empty);
    return json_incref(value);
}

/* As a front end that expects `id`, `config_schema` and `defaultConfig` reads it. */
static json_t *describe(json_t *m)
{
    json_t *fields = json_object_get(m, "config");

    return json_pack("{s:s, s:s, s:s, s:s, s:s, s:o, s:o, s:o, s:o, s:s}",
                     "id", json_text_of(m, "name", ""), "name", json_text_of(m, "name", ""),
                     "version", json_text_of(m, "version", ""), "author",
                     json_text_of(m, "author", ""), "description",
                     json_text_of(m, "description", ""), "categories",
                     or_empty(json_object_get(m, "categories"), json_array()), "permissions",
                     or_empty(json_object_get(m, "permissions"), json_array()), "config_schema",
                     or_empty(fields, json_object()), "defaultConfig", defaults_of(fields),
                     "trust", "builtin");
}

static void on_inspected(void *arg, enum mh_err err, json_t *json, const char *message)
{
    struct survey    *s = arg;
    struct manifest   m;
    struct json_fault fault;

    (void)message;                          /* a broken folder is simply not on offer */
    if (err == MH_OK && manifest_read(json, &m, &fault) == MH_OK) {
        json_array_append_new(s->found, describe(m.json));
        manifest_deinit(&m);
    }
    look_at_next(s);
}

static bool look_at(struct survey *s, const char *folder)
{
    char        why[256];
    json_t     *files = NULL;
    const char *slash = strrchr(folder, '/');

    if (source_read(folder, &files, why, sizeof why) != MH_OK)
        return false;
    enum mh_err err = instance_inspect(s->host, slash ? slash + 1 : folder, files,
                                       on_inspected, s);
    json_decref(files);
    return err == MH_OK;
}

static void look_at_next(struct survey *s)
{
    while (json_array_size(s->folders) > 0) {
        char *folder = mem_strdup(json_string_value(json_array_get(s->folders, 0)));
        json_array_remove(s->folders, 0);
        bool under_way = look_at(s, folder);
        free(folder);
        if (under_way)
            return;
    }
    s->done(s->arg, MH_OK, s->found);
    json_decref(s->found);
    json_decref(s->folders);
    free(s);
}

void plugins_survey(const struct plugins_spec *spec, plugins_done *done, void *arg)
{
    struct survey *s = mem_alloc(sizeof *s);

    *s = (struct survey){ spec->plugin.host, done, arg, json_array(), json_array() };
    for (const char *const *dir = spec->dirs; *dir != NULL; dir++) {
        json_t *names = source_list(*dir);
        for (size_t i = 0; i < json_array_size(names); i++)
            json_array_append_new(s->folders,
                                  json_sprintf("%s/%s", *dir,
                                               json_string_value(json_array_get(names, i))));
        json_decref(names);
    }
    look_at_next(s);
}
