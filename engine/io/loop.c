/* loop.c - see loop.h. */
#include "io/loop.h"

static void on_fire(uv_timer_t *handle)
{
    struct timer *t = container_of(handle, struct timer, handle);
    t->fire(t);
}

void timer_init(struct timer *t, uv_loop_t *loop, void (*fire)(struct timer *))
{
    uv_timer_init(loop, &t->handle);
    t->fire = fire;
    t->open = true;
}

void timer_start(struct timer *t, int64_t delay_ms)
{
    if (!t->open)
        return;
    uv_update_time(t->handle.loop);         /* a long callback must not shorten the delay */
    uv_timer_start(&t->handle, on_fire, (uint64_t)(delay_ms > 0 ? delay_ms : 0), 0);
}

void timer_hasten(struct timer *t, int64_t delay_ms)
{
    bool running = uv_is_active((uv_handle_t *)&t->handle);

    if (!running || (int64_t)uv_timer_get_due_in(&t->handle) > delay_ms)
        timer_start(t, delay_ms);
}

void timer_stop(struct timer *t) { uv_timer_stop(&t->handle); }

static void on_closed(uv_handle_t *handle)
{
    struct timer *t = container_of(handle, struct timer, handle);
    void (*closed)(struct timer *) = handle->data;
    if (closed != NULL)
        closed(t);
}

void timer_close(struct timer *t, void (*closed)(struct timer *))
{
    if (!t->open)
        return;
    t->open = false;
    t->handle.data = (void *)closed;
    uv_close((uv_handle_t *)&t->handle, on_closed);
}
