/* plugins.c - plugins: what there is, what is installed, and changes to it. */
#include "api/deliveries.h"

#include "base/util.h"

#include <stdio.h>
#include <string.h>

const struct json_field install_fields[] = {
    { "source", JSON_IS_STRING, true },
    { "config", JSON_IS_OBJECT, false },
};
const size_t install_field_count = ARRAY_LEN(install_fields);

void plugins_get_available(struct api_call *c)
{
    plugins_available(c->api->plugins, api_answer_or_problem, c);
}

void plugins_get_installed(struct api_call *c)
{
    api_answer(c, 200, plugins_describe(c->api->plugins));
}

/* The front end expects {"installed":true} beside the plugin. */
static void answer_with(struct api_call *c, enum mh_err err, json_t *answer, const char *flag)
{
    if (err == MH_OK)
        json_put(answer, flag, json_true());
    api_answer_or_problem(c, err, answer);
}

static void on_installed(void *arg, enum mh_err err, json_t *answer)
{
    answer_with(arg, err, answer, "installed");
}

static void on_updated(void *arg, enum mh_err err, json_t *answer)
{
    answer_with(arg, err, answer, "updated");
}

static void on_reloaded(void *arg, enum mh_err err, json_t *answer)
{
    answer_with(arg, err, answer, "reloaded");
}

/* A folder of the server's disk is the operator's to name. */
void plugins_post_install(struct api_call *c)
{
    if (!c->key->admin && strncmp(json_text_of(c->body, "source", ""), "file:", 5) == 0) {
        api_problem(c, MH_FORBIDDEN, "only an admin key may install from a folder (file:)");
        return;
    }
    plugins_install(c->api->plugins, json_text_of(c->body, "source", ""),
                    json_object_get(c->body, "config"), on_installed, c);
}

void plugins_put_config(struct api_call *c)
{
    plugins_configure(c->api->plugins, c->id, c->body, on_updated, c);
}

void plugins_delete(struct api_call *c)
{
    plugins_uninstall(c->api->plugins, c->id, api_answer_or_problem, c);
}

void plugins_post_reload(struct api_call *c)
{
    plugins_reload(c->api->plugins, c->id, on_reloaded, c);
}

static void on_rolled_back(void *arg, enum mh_err err, json_t *answer)
{
    answer_with(arg, err, answer, "rolled_back");
}

void plugins_post_rollback(struct api_call *c)
{
    plugins_rollback(c->api->plugins, c->id, on_rolled_back, c);
}

void plugins_post_enable(struct api_call *c)
{
    plugins_enable(c->api->plugins, c->id, true, api_answer_or_problem, c);
}

void plugins_post_disable(struct api_call *c)
{
    plugins_enable(c->api->plugins, c->id, false, api_answer_or_problem, c);
}

/* The plugin of the path; the problem is answered if there is none. */
static struct plugin *plugin_of(struct api_call *c)
{
    struct plugin *p = plugins_find(c->api->plugins, c->id);
    char           detail[120];

    if (p == NULL) {
        snprintf(detail, sizeof detail, "no plugin '%.40s' is installed", c->id);
        api_problem(c, MH_NOT_FOUND, detail);
    }
    return p;
}

void plugins_get_logs(struct api_call *c)
{
    struct plugin *p = plugin_of(c);

    if (p != NULL)
        api_answer(c, 200, json_pack("{s:o, s:n}", "items", plugin_logs(p), "next"));
}

void plugins_get_metrics(struct api_call *c)
{
    struct plugin *p = plugin_of(c);

    if (p == NULL)
        return;
    json_t *described = plugin_describe(p);
    json_t *metrics = json_incref(json_object_get(described, "metrics"));
    json_decref(described);
    api_answer(c, 200, metrics);
}

void plugins_get_deliveries(struct api_call *c)
{
    struct plugin *p = plugin_of(c);

    if (p != NULL)
        deliveries_page(c, c->org, plugin_name(p));
}
