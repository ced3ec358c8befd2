/* tree_watch.c - see tree_watch.h.
 *
 * After every change all folders are watched anew, first the new watch, then the end of
 * the old one, and only then is it told: so a folder that came, or that another was put
 * in place of, is watched before anybody reads it, and no change falls between. */
#include "io/tree_watch.h"

#include "base/list.h"
#include "base/log.h"

#include <dirent.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { SETTLE_MS = 20, AT_LATEST_MS = 60, GONE_MS = 250 };

struct tree_watch {
    uv_loop_t   *loop;
    char        *folder;
    void       (*changed)(void *arg);
    void        *arg;
    struct list  watched;                   /* struct folder */
    size_t       count;
    struct timer settle;
    int64_t      since_ms;                  /* the first change that was not told; 0: none */
    bool         refused;                   /* by the kernel, which was logged */
};

struct folder {
    struct list        node;
    uv_fs_event_t      handle;
    struct tree_watch *tree;
};

static void on_event(uv_fs_event_t *handle, const char *name, int events, int status)
{
    struct tree_watch *w = container_of(handle, struct folder, handle)->tree;
    int64_t            now_ms = (int64_t)uv_now(w->loop);

    (void)name, (void)events, (void)status;
    if (w->since_ms == 0)
        w->since_ms = now_ms;
    int64_t left_ms = w->since_ms + AT_LATEST_MS - now_ms;
    timer_start(&w->settle, left_ms < SETTLE_MS ? left_ms : SETTLE_MS);
}

/* ---- Which folders ------------------------------------------------------------------- */

static void watch_one(struct tree_watch *w, const char *path)
{
    struct folder *f = mem_alloc(sizeof *f);

    f->tree = w;
    uv_fs_event_init(w->loop, &f->handle);
    list_push_back(&w->watched, &f->node);
    w->count++;
    int err = uv_fs_event_start(&f->handle, on_event, path, 0);
    if (err != 0 && err != UV_ENOENT && !w->refused) {
        w->refused = true;
        LOG_WARN("watch_refused", "folder=\"%s\" reason=\"%s\"", path, uv_strerror(err));
    }
}

static void watch_below(struct tree_watch *w, const char *path, int depth)
{
    DIR           *stream = opendir(path);
    struct dirent *entry;

    if (stream == NULL)
        return;
    watch_one(w, path);
    while (depth < TREE_WATCH_DEPTH && (entry = readdir(stream)) != NULL) {
        if (entry->d_type != DT_DIR || entry->d_name[0] == '.' || w->count == TREE_WATCH_FOLDERS)
            continue;
        char *below = mem_printf("%s/%s", path, entry->d_name);
        watch_below(w, below, depth + 1);
        free(below);
    }
    closedir(stream);
}

static void on_folder_closed(uv_handle_t *handle)
{
    free(container_of((uv_fs_event_t *)handle, struct folder, handle));
}

static void unwatch(struct list *watched)
{
    struct list *node;

    while ((node = list_pop_front(watched)) != NULL)
        uv_close((uv_handle_t *)&container_of(node, struct folder, node)->handle,
                 on_folder_closed);
}

/* True where the folder is there. */
static bool watch_anew(struct tree_watch *w)
{
    struct list *node, before;

    list_init(&before);
    while ((node = list_pop_front(&w->watched)) != NULL)
        list_push_back(&before, node);
    w->count = 0;
    watch_below(w, w->folder, 0);
    unwatch(&before);
    return w->count > 0;
}

/* ---- Life ---------------------------------------------------------------------------------- */

static void on_settled(struct timer *timer)
{
    struct tree_watch *w = container_of(timer, struct tree_watch, settle);

    w->since_ms = 0;
    if (watch_anew(w))
        w->changed(w->arg);
    else
        timer_start(&w->settle, GONE_MS);
}

struct tree_watch *tree_watch_start(uv_loop_t *loop, const char *folder,
                                    void (*changed)(void *arg), void *arg)
{
    struct tree_watch *w = mem_alloc(sizeof *w);

    w->loop = loop;
    w->folder = mem_strdup(folder);
    w->changed = changed;
    w->arg = arg;
    list_init(&w->watched);
    timer_init(&w->settle, loop, on_settled);
    if (!watch_anew(w))
        timer_start(&w->settle, GONE_MS);
    return w;
}

static void on_closed(struct timer *timer)
{
    struct tree_watch *w = container_of(timer, struct tree_watch, settle);

    free(w->folder);
    free(w);
}

void tree_watch_stop(struct tree_watch *w)
{
    unwatch(&w->watched);
    timer_close(&w->settle, on_closed);
}
