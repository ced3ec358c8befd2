/* instance.c - see instance.h. */
#include "core/instance.h"

#include "base/log.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { INSPECT_MEMORY_BYTES = 32 * MH_MIB, INSPECT_TIMEOUT_MS = 3000 };

struct instance {
    struct list                 node;       /* in host->retired */
    const struct instance_host *host;
    struct manifest             manifest;   /* its own count */
    json_t                     *config;     /* plain values */
    struct seals                seals;
    struct broker_subject       subject;
    struct sandbox             *sandbox;
    const struct instance_ops  *ops;
    void                       *arg;
    struct hook_call            setup;
    bool                        ready, failed, retired;
    bool                        over;       /* its process is gone; on_ended() frees it */
};

static void instance_free(struct instance *i)
{
    list_unlink(&i->node);
    manifest_deinit(&i->manifest);
    json_decref(i->config);
    seals_deinit(&i->seals);
    free(i);
}

static void become_ready(struct instance *i, enum mh_err err, const char *message)
{
    if (i->ready || i->failed)
        return;
    i->ready = err == MH_OK;
    i->failed = err != MH_OK;
    if (!i->retired)
        i->ops->ready(i->arg, err, message);
}

/* What ended the process names no line; where setup begins is the next best. */
static void on_setup(struct hook_call *call, const struct hook_result *r)
{
    struct instance *i = container_of(call, struct instance, setup);
    bool             placed = r->err == MH_OK || strstr(r->message, ".lua:") != NULL;
    const char      *message = r->err == MH_OK ? "" : r->message;
    const char      *what = strstr(message, "setup ") != NULL ? "" : "setup: ";
    const char      *where = json_text_of(i->manifest.json, "setup_at", "plugin.lua");
    char            *text = placed ? mem_strdup(message)
                                   : mem_printf("%s: %s%s", where, what, message);

    free(r->facts);                         /* nobody asks what setup returned */
    become_ready(i, r->err, text);
    free(text);
}

static void run_setup(struct instance *i)
{
    i->setup = (struct hook_call){ .hook = "setup", .delivery_id = "", .attempt = 1,
                                   .done = on_setup };
    enum mh_err err = sandbox_call(i->sandbox, &i->setup);
    if (err != MH_OK)
        become_ready(i, err, "setup could not be called");
}

static void on_loaded(void *arg, json_t *json)
{
    struct instance  *i = arg;
    struct manifest   said;
    struct json_fault fault;

    if (manifest_read(json, &said, &fault) != MH_OK) {
        become_ready(i, MH_PLUGIN, fault.text);
        return;
    }
    bool same = manifest_same(&said, &i->manifest);
    manifest_deinit(&said);
    if (!i->retired && i->ops->loaded != NULL)
        i->ops->loaded(i->arg);
    if (!same)
        become_ready(i, MH_DENIED, "the plugin says otherwise than when it was approved");
    else if (i->manifest.setup)
        run_setup(i);
    else
        become_ready(i, MH_OK, "");
}

static void on_failed(void *arg, const char *message) { become_ready(arg, MH_PLUGIN, message); }

static void on_request(void *arg, struct hook_call *call, const struct frame *frame,
                       const json_t *head)
{
    struct instance *i = arg;
    broker_request(i->host->broker, &i->subject, call, frame, head);
}

static void on_abort(void *arg, struct hook_call *call)
{
    (void)arg;
    broker_abort(call);
}

static void on_logged(void *arg, struct hook_call *call, const char *level, const char *text)
{
    struct instance *i = arg;
    if (!i->retired)
        i->ops->logged(i->arg, call, level, text);
}

static void on_breached(void *arg, enum limit which)
{
    struct instance *i = arg;
    if (!i->retired)
        i->ops->breached(i->arg, which);
}

static void on_ended(void *arg, enum mh_err why, const char *detail)
{
    struct instance *i = arg;

    i->over = true;
    become_ready(i, why, detail);
    if (!i->retired)
        i->ops->ended(i->arg, why, detail);
    instance_free(i);
}

static const struct sandbox_ops sandbox_ops = { on_loaded, on_failed, on_request, on_abort,
                                                on_logged, on_breached, on_ended };

enum mh_err instance_start(const struct instance_host *host, const struct manifest *manifest,
                           const json_t *files, const json_t *config,
                           const struct instance_ops *ops, void *arg, struct instance **out)
{
    struct instance *i = mem_alloc(sizeof *i);

    *i = (struct instance){ .host = host, .ops = ops, .arg = arg, .manifest = *manifest };
    list_init(&i->node);
    json_incref(i->manifest.json);
    i->config = json_deep_copy(config);
    json_t *shown = manifest_tokens(&i->manifest, config, &i->seals);
    struct sandbox_spec spec = {
        .loop = host->loop, .program = host->program,
        .required_layers = jail_required(host->jail), .plugin = manifest->name,
        .limits = limits_of(manifest->limits, &host->ceilings), .jit = manifest->jit, .files = files,
        .config = shown, .ops = &sandbox_ops, .arg = i,
    };
    enum mh_err err = sandbox_start(&spec, &i->sandbox);
    json_decref(shown);
    if (err != MH_OK) {
        instance_free(i);
        return err;
    }
    i->subject = (struct broker_subject){ .manifest = &i->manifest, .config = i->config,
                                          .seals = &i->seals, .sandbox = i->sandbox,
                                          .limits = spec.limits,
                                          .room_bytes = BROKER_MAX_ANSWERS_BYTES };
    *out = i;
    return MH_OK;
}

void instance_set_ops(struct instance *i, const struct instance_ops *ops, void *arg)
{
    i->ops = ops;
    i->arg = arg;
}

void instance_stop(struct instance *i)
{
    i->retired = true;
    if (i->over)                            /* stopped by what on_ended() tells */
        return;
    sandbox_stop(i->sandbox);
    instance_free(i);
}

enum mh_err instance_call(struct instance *i, struct hook_call *call)
{
    return sandbox_call(i->sandbox, call);
}

void instance_retire(struct instance *i)
{
    i->retired = true;
    list_push_back(i->host->retired, &i->node);
    sandbox_finish(i->sandbox);
}

size_t instance_retired_count(const struct instance_host *host, const char *plugin)
{
    size_t count = 0;

    list_for_each(node, after, host->retired)
        count += strcmp(container_of(node, struct instance, node)->manifest.name, plugin) == 0;
    return count;
}

void instance_stop_retired(const struct instance_host *host)
{
    while (!list_empty(host->retired))
        instance_stop(container_of(host->retired->next, struct instance, node));
}

void instance_stop_retired_of(const struct instance_host *host, const char *plugin)
{
    list_for_each(node, after, host->retired) {
        struct instance *i = container_of(node, struct instance, node);
        if (strcmp(i->manifest.name, plugin) == 0)
            instance_stop(i);
    }
}

int    instance_pid(const struct instance *i) { return sandbox_pid(i->sandbox); }
double instance_start_ms(const struct instance *i) { return sandbox_start_ms(i->sandbox); }

/* ---- Inspecting ------------------------------------------------------------------------- */

struct inspection {
    struct sandbox     *sandbox;
    instance_inspected *done;
    void               *arg;
    bool                told;
};

static void tell(struct inspection *x, enum mh_err err, json_t *manifest, const char *message)
{
    if (x->told)
        return;
    x->told = true;
    x->done(x->arg, err, manifest, message);
}

static void inspect_loaded(void *arg, json_t *manifest)
{
    struct inspection *x = arg;
    tell(x, MH_OK, manifest, "");
    sandbox_finish(x->sandbox);
}

static void inspect_failed(void *arg, const char *message) { tell(arg, MH_PLUGIN, NULL, message); }

static void inspect_request(void *arg, struct hook_call *call, const struct frame *frame,
                            const json_t *head)
{
    (void)arg, (void)call, (void)frame, (void)head;     /* there is no call, so this cannot be */
}

static void inspect_abort(void *arg, struct hook_call *call) { (void)arg, (void)call; }

static void inspect_logged(void *arg, struct hook_call *call, const char *level, const char *text)
{
    (void)arg, (void)call, (void)level, (void)text;
}

static void inspect_breached(void *arg, enum limit which) { (void)arg, (void)which; }

static void inspect_ended(void *arg, enum mh_err why, const char *detail)
{
    tell(arg, why, NULL, detail);
    free(arg);
}

enum mh_err instance_inspect(const struct instance_host *host, const char *name,
                             const json_t *files, instance_inspected *done, void *arg)
{
    static const struct sandbox_ops ops = { inspect_loaded, inspect_failed, inspect_request,
                                            inspect_abort, inspect_logged, inspect_breached,
                                            inspect_ended };
    struct inspection  *x = mem_alloc(sizeof *x);
    json_t             *config = json_object();
    struct sandbox_spec spec = {
        .loop = host->loop, .program = host->program,
        .required_layers = jail_required(host->jail), .plugin = name,
        .limits = { .memory_bytes = INSPECT_MEMORY_BYTES, .timeout_ms = INSPECT_TIMEOUT_MS,
                    .cpu_ms = INSPECT_TIMEOUT_MS },
        .manifest_only = true, .files = files, .config = config, .ops = &ops, .arg = x,
    };

    *x = (struct inspection){ .done = done, .arg = arg };
    enum mh_err err = sandbox_start(&spec, &x->sandbox);
    json_decref(config);
    if (err != MH_OK)
        free(x);
    return err;
}
