/* leftovers.c - see leftovers.h. */
#include "core/leftovers.h"

#include "base/id.h"
#include "base/list.h"
#include "base/log.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define KIND "plugins"
enum { AGAIN_MS = 1000, LOOK_MS = 5000 };

struct looking { struct leftovers *owner; };    /* Redis is asked; NULL: nobody wants to know */

struct leftovers {
    struct leftovers_spec spec;
    struct list     tasks;
    struct timer    again, look;
    struct looking *looking;                /* NULL while Redis is not asked */
};

/* One plugin's: forgets, then drops the note; or, before an install, only forgets. */
struct task {
    struct list       node;
    struct leftovers *owner;                /* NULL: nobody wants to know any more */
    char              plugin[MH_ID_BYTES];
    bool              install;
    bool              failed;               /* waits for its next try */
    store_done       *done;                 /* NULL: told, or nobody waits */
    void             *arg;
};

static void on_again(struct timer *timer), on_look(struct timer *timer);

/* ---- Life ---------------------------------------------------------------------------------- */

struct leftovers *leftovers_new(const struct leftovers_spec *spec)
{
    struct leftovers *l = mem_alloc(sizeof *l);

    l->spec = *spec;
    list_init(&l->tasks);
    timer_init(&l->again, spec->loop, on_again);
    timer_init(&l->look, spec->loop, on_look);
    return l;
}

static void on_look_closed(struct timer *look) { free(container_of(look, struct leftovers, look)); }

static void on_again_closed(struct timer *again)
{
    timer_close(&container_of(again, struct leftovers, again)->look, on_look_closed);
}

static void task_free(struct task *t)
{
    list_unlink(&t->node);
    free(t);
}

static void tell(struct task *t, enum mh_err err)
{
    store_done *done = t->done;

    t->done = NULL;
    if (done != NULL)
        done(t->arg, err);
}

void leftovers_free(struct leftovers *l)
{
    list_for_each(node, after, &l->tasks) {
        struct task *t = container_of(node, struct task, node);
        list_unlink(&t->node);
        t->owner = NULL;
        tell(t, MH_UNAVAILABLE);
        if (t->failed)                      /* else Redis owes it an answer, which frees it */
            free(t);
    }
    if (l->looking != NULL)
        l->looking->owner = NULL;
    timer_close(&l->again, on_again_closed);
}

static struct task *task_new(struct leftovers *l, const char *plugin, store_done *done, void *arg)
{
    struct task *t = mem_alloc(sizeof *t);

    *t = (struct task){ .owner = l, .done = done, .arg = arg };
    snprintf(t->plugin, sizeof t->plugin, "%s", plugin);
    list_push_back(&l->tasks, &t->node);
    return t;
}

/* First in every callback. */
static bool is_over(struct task *t)
{
    if (t->owner != NULL)
        return false;
    task_free(t);
    return true;
}

/* It is off the list when whoever is told asks for the same plugin again. */
static void end(struct task *t, enum mh_err err)
{
    list_unlink(&t->node);
    tell(t, err);
    free(t);
}

/* An install is refused then, by its `done`. */
static void fail(struct task *t, enum mh_err err)
{
    if (t->install) {
        end(t, err);
        return;
    }
    t->failed = true;
    timer_hasten(&t->owner->again, AGAIN_MS);
    tell(t, err);
}

/* ---- Forgetting ------------------------------------------------------------------------------ */

static void on_dropped(void *arg, enum mh_err err)
{
    struct task *t = arg;

    if (is_over(t))
        return;
    if (err == MH_OK)
        end(t, MH_OK);
    else
        fail(t, err);
}

static void on_forgotten(void *arg, enum mh_err err)
{
    struct task *t = arg;

    if (is_over(t))
        return;
    if (err != MH_OK)
        fail(t, err);
    else if (t->install)
        end(t, MH_OK);
    else
        store_note_drop(t->owner->spec.store, KIND, t->plugin, on_dropped, t);
}

static void on_taken(void *arg, enum mh_err err, bool left)
{
    struct task *t = arg;

    if (is_over(t))
        return;
    if (err == MH_OK && left)
        broker_store_forget(t->owner->spec.broker, t->plugin, on_forgotten, t);
    else if (err == MH_OK && t->install)
        end(t, MH_OK);
    else if (err == MH_OK)                  /* somebody was faster; this note is of our own making */
        store_note_drop(t->owner->spec.store, KIND, t->plugin, on_dropped, t);
    else if (err == MH_CONFLICT)
        end(t, err);                        /* another engine is at it */
    else
        fail(t, err);
}

static void take(struct task *t)
{
    t->failed = false;
    store_note_take(t->owner->spec.store, KIND, t->plugin, on_taken, t);
}

static struct task *find(struct leftovers *l, const char *plugin)
{
    list_for_each(node, after, &l->tasks) {
        struct task *t = container_of(node, struct task, node);
        if (strcmp(t->plugin, plugin) == 0)
            return t;
    }
    return NULL;
}

static void on_again(struct timer *timer)
{
    struct leftovers *l = container_of(timer, struct leftovers, again);

    list_for_each(node, after, &l->tasks) {
        struct task *t = container_of(node, struct task, node);
        if (t->failed)
            take(t);
    }
}

/* What waits for its next try is done by the install. */
enum mh_err leftovers_prepare(struct leftovers *l, const char *plugin, store_done *done, void *arg)
{
    struct task *before = find(l, plugin);

    if (before != NULL && !before->failed)
        return MH_CONFLICT;
    if (before != NULL)
        task_free(before);
    struct task *t = task_new(l, plugin, done, arg);
    t->install = true;
    take(t);
    return MH_OK;
}

void leftovers_forget(struct leftovers *l, const char *plugin, store_done *done, void *arg)
{
    broker_store_forget(l->spec.broker, plugin, on_forgotten, task_new(l, plugin, done, arg));
}

/* ---- Of engines that are gone ------------------------------------------------------------------- */

static void on_found(void *arg, enum mh_err err, const json_t *ids)
{
    struct looking   *looking = arg;
    struct leftovers *l = looking->owner;

    free(looking);
    if (l == NULL)
        return;
    l->looking = NULL;
    for (size_t i = 0; err == MH_OK && i < json_array_size(ids); i++) {
        const char *plugin = json_string_value(json_array_get(ids, i));
        if (find(l, plugin) == NULL && !l->spec.in_use(l->spec.arg, plugin))
            leftovers_forget(l, plugin, NULL, NULL);
    }
    timer_start(&l->look, LOOK_MS);
}

static void on_look(struct timer *timer)
{
    struct leftovers *l = container_of(timer, struct leftovers, look);

    l->looking = mem_alloc(sizeof *l->looking);
    l->looking->owner = l;
    store_notes_take(l->spec.store, KIND, on_found, l->looking);
}

void leftovers_begin(struct leftovers *l)
{
    if (l->looking == NULL)
        timer_start(&l->look, 0);
}
