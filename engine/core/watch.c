/* watch.c - see watch.h. Files are compared with what was seen last, so that a reload is
 * a change of the plugin and never of a file beside it, however an editor saves. */
#include "core/watch.h"

#include "base/clock.h"
#include "base/log.h"
#include "core/source.h"
#include "io/tree_watch.h"

#include <stdlib.h>

enum { BUSY_MS = 10, CROWDED_MS = 500, REASON_BYTES = 1024 };

struct watch {
    struct plugins    *ps;
    char              *name, *folder;
    struct tree_watch *tree;
    struct timer       again;
    json_t            *seen;                /* null: could not be read */
    bool               reloading, changed;  /* changed: while reloading */
    int64_t            since_us;
};

static void look(struct watch *w);

static void log_reason(const struct watch *w, const json_t *answer)
{
    const json_t *first = json_array_get(json_object_get(answer, "errors"), 0);
    char          quoted[REASON_BYTES];
    char *reason = mem_printf("%s%s%s %s", json_text_of(answer, "detail", ""), first ? ": " : "",
                              json_text_of(first, "pointer", ""), json_text_of(first, "detail", ""));

    LOG_WARN("plugin_reload_failed", "plugin=%s reason=%s", w->name,
             log_quote(reason, quoted, sizeof quoted));
    free(reason);
}

static void on_reloaded(void *arg, enum mh_err err, json_t *answer)
{
    struct watch *w = arg;

    w->reloading = false;
    if (err == MH_OK)
        LOG_INFO("plugin_reloaded", "plugin=%s version=%s took_ms=%.1f", w->name,
                 json_text_of(answer, "version", ""),
                 (double)(clock_mono_us() - w->since_us) / 1000.0);
    else
        log_reason(w, answer);
    if (err == MH_BUSY) {                   /* what was saved is still to be tried */
        json_decref(w->seen);
        w->seen = json_null();
    }
    if (w->changed || err == MH_BUSY)
        timer_start(&w->again, err == MH_BUSY ? CROWDED_MS : 0);
}

static void log_file(const struct watch *w, const char *file)
{
    char quoted[256];

    LOG_INFO("plugin_changed", "plugin=%s file=%s", w->name,
             log_quote(file, quoted, sizeof quoted));
}

static void log_changes(const struct watch *w, json_t *files)
{
    const char *name;
    json_t     *text;

    json_object_foreach(files, name, text)
        if (!json_equal(text, json_object_get(w->seen, name)))
            log_file(w, name);
    json_object_foreach(w->seen, name, text)
        if (json_object_get(files, name) == NULL)
            log_file(w, name);
}

/* The files as they are, or null: then the reload finds the same fault, and names it. */
static json_t *read_files(const struct watch *w)
{
    char    why[256];
    json_t *files = NULL;

    return source_read(w->folder, &files, why, sizeof why) == MH_OK ? files : json_null();
}

static void look(struct watch *w)
{
    w->changed = true;
    if (w->reloading)
        return;
    if (plugins_is_busy(w->ps, w->name)) {
        timer_start(&w->again, BUSY_MS);
        return;
    }
    w->changed = false;
    json_t *files = read_files(w);
    if (json_equal(files, w->seen)) {
        json_decref(files);
        return;
    }
    log_changes(w, files);
    json_decref(w->seen);
    w->seen = files;
    w->reloading = true;
    w->since_us = clock_mono_us();
    plugins_reload(w->ps, w->name, on_reloaded, w);
}

static void on_changed(void *arg) { look(arg); }

static void on_again(struct timer *timer) { look(container_of(timer, struct watch, again)); }

struct watch *watch_start(struct plugins *ps, uv_loop_t *loop, const char *name,
                          const char *folder, json_t *seen)
{
    struct watch *w = mem_alloc(sizeof *w);

    w->ps = ps;
    w->name = mem_strdup(name);
    w->folder = mem_strdup(folder);
    timer_init(&w->again, loop, on_again);
    w->tree = tree_watch_start(loop, folder, on_changed, w);
    w->seen = seen != NULL ? json_incref(seen) : read_files(w);
    timer_start(&w->again, 0);              /* it may have changed since it was read */
    return w;
}

static void on_closed(struct timer *timer)
{
    struct watch *w = container_of(timer, struct watch, again);

    json_decref(w->seen);
    free(w->name);
    free(w->folder);
    free(w);
}

void watch_stop(struct watch *w)
{
    tree_watch_stop(w->tree);
    timer_close(&w->again, on_closed);
}
