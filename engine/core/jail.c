/* jail.c - see jail.h. Where the probe itself fails, webhooks can be served all the same;
 * each plugin's own process is held against the same rules. */
#include "core/jail.h"

#include "base/log.h"
#include "core/metrics.h"
#include "core/sandbox.h"
#include "core/sandbox_frame.h"

#include <stdio.h>
#include <stdlib.h>

enum { PROBE_MEMORY_BYTES = 4 * MH_MIB, PROBE_TIMEOUT_MS = 5000 };

struct probe {
    struct jail    *jail;
    struct sandbox *sandbox;
    void          (*done)(void *arg, enum mh_err err);
    void           *arg;
    bool            loaded;
};

unsigned jail_required(const struct jail *j) { return j->full ? LAYERS_ALL : layers_must(); }

const char *jail_lacks(unsigned missing, char out[JAIL_TEXT_BYTES])
{
    char names[LAYERS_TEXT_BYTES];
    int  first = 0;

    while (first < LAYER_COUNT - 1 && !layer_in(missing, (enum layer)first))
        first++;
    snprintf(out, JAIL_TEXT_BYTES, "the jail of plugins lacks %s: %s", layers_text(missing, names),
             layer_remedy((enum layer)first));
    return out;
}

/* ---- What was found ------------------------------------------------------------------- */

static enum mh_err judge(const struct jail *j)
{
    char     held[LAYERS_TEXT_BYTES], lost[LAYERS_TEXT_BYTES], text[JAIL_TEXT_BYTES];
    unsigned missing = LAYERS_ALL & ~j->layers;

    if ((missing & jail_required(j)) != 0) {
        LOG_ERROR("jail_incomplete", "layers=\"%s\" missing=\"%s\" reason=\"%s; or say "
                  "--require-jail best\"", layers_text(j->layers, held),
                  layers_text(missing, lost), jail_lacks(missing, text));
        return MH_JAIL;
    }
    log_write(missing ? LOG_WARN_LEVEL : LOG_INFO_LEVEL, "jail", "layers=\"%s\" missing=\"%s\"",
              layers_text(j->layers, held), layers_text(missing, lost));
    return MH_OK;
}

static enum mh_err not_known(const struct jail *j, const char *detail)
{
    char quoted[JAIL_TEXT_BYTES + 100];

    LOG_ERROR("jail_unknown", "require=%s reason=%s", j->full ? "full" : "best",
              log_quote(detail, quoted, sizeof quoted));
    return j->full ? MH_JAIL : MH_OK;
}

unsigned jail_layers_of(const struct child *process, const json_t *loaded)
{
    static const struct { enum layer layer; const char *field; int value; } rows[] = {
        { LAYER_seccomp, "Seccomp", 2 }, { LAYER_no_new_privs, "NoNewPrivs", 1 },
    };
    unsigned layers = sandbox_frame_layers(loaded);

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        int said = child_kernel_says(process, rows[i].field);
        if (said >= 0 && said != rows[i].value)
            layers &= ~(1u << rows[i].layer);
    }
    return layers;
}

/* ---- The probe -------------------------------------------------------------------------- */

static void on_loaded(void *arg, json_t *manifest)
{
    struct probe *p = arg;

    (void)manifest;
    p->loaded = true;
    p->jail->layers = sandbox_layers(p->sandbox);
    sandbox_finish(p->sandbox);
}

static void on_failed(void *arg, const char *message) { (void)arg, (void)message; }
static void on_request(void *arg, struct hook_call *call, const struct frame *frame,
                       const json_t *head)
{
    (void)arg, (void)call, (void)frame, (void)head;     /* there is no call, so this cannot be */
}
static void on_abort(void *arg, struct hook_call *call) { (void)arg, (void)call; }
static void on_logged(void *arg, struct hook_call *call, const char *level, const char *text)
{
    (void)arg, (void)call, (void)level, (void)text;
}

static void on_breached(void *arg, enum limit which) { (void)arg, (void)which; }

static void on_ended(void *arg, enum mh_err why, const char *detail)
{
    struct probe *p = arg;

    (void)why;
    p->done(p->arg, p->loaded ? judge(p->jail) : not_known(p->jail, detail));
    free(p);
}

void jail_probe(struct jail *j, uv_loop_t *loop, const char *program,
                void (*done)(void *arg, enum mh_err err), void *arg)
{
    static const struct sandbox_ops ops = { on_loaded, on_failed, on_request, on_abort, on_logged,
                                            on_breached, on_ended };
    struct probe *p = mem_alloc(sizeof *p);
    json_t *config = json_object(), *files = json_pack("{s:s}", "plugin.lua", "return {}");

    *p = (struct probe){ .jail = j, .done = done, .arg = arg };
    enum mh_err err = sandbox_start(&(struct sandbox_spec){
        .loop = loop, .program = program, .plugin = "jail-probe", .files = files, .config = config,
        .limits = { .memory_bytes = PROBE_MEMORY_BYTES, .timeout_ms = PROBE_TIMEOUT_MS,
                    .cpu_ms = PROBE_TIMEOUT_MS }, .manifest_only = true,
        .ops = &ops, .arg = p }, &p->sandbox);
    json_decref(config);
    json_decref(files);
    if (err == MH_OK)
        return;
    free(p);
    done(arg, not_known(j, "moonhook-sandbox could not be started"));
}

void jail_metrics(const struct jail *j, struct buf *out)
{
    char labels[48];

    metrics_begin(out, "moonhook_jail_layer", "gauge", "1 for a layer of the jail that holds here.");
    for (int i = 0; i < LAYER_COUNT; i++) {
        snprintf(labels, sizeof labels, "layer=\"%s\"", layer_name((enum layer)i));
        metrics_sample(out, "moonhook_jail_layer", labels, layer_in(j->layers, (enum layer)i));
    }
}
