/* sandbox_turns.c - whose turn it is in a sandbox, and the time that it takes: sandbox.h says
 * to whom time is charged. The deadline is one timer, for the head alone. */
#include "core/sandbox_internal.h"

#include "base/clock.h"
#include "core/hook_story.h"

#include <stdio.h>

enum { GRACE_US = 20000 };                  /* past its time, for the hook to end with a traceback */

struct hook_call *sandbox_head(const struct sandbox *s)
{
    return list_empty(&s->turns) ? NULL : container_of(s->turns.next, struct hook_call, turn);
}

int64_t sandbox_cpu_us(const struct sandbox *s)
{
    return s->child ? child_cpu_us(s->child) : s->cpu_us;
}

/* The deadline looks again no later than when the head's time or, had it computed all
 * the while, its CPU time is over. */
static void watch_head(struct sandbox *s)
{
    struct hook_call *head = sandbox_head(s);

    if (head == NULL)
        return;
    int64_t left_us = head->left_us < head->cpu_left_us ? head->left_us : head->cpu_left_us;
    left_us += GRACE_US - (clock_mono_us() - s->head_since_us);
    timer_hasten(&s->deadline, left_us > 0 ? left_us / 1000 + 1 : 1);
}

void sandbox_begin_turn(struct sandbox *s, struct hook_call *call)
{
    if (list_empty(&s->turns))
        s->head_since_us = clock_mono_us();
    list_push_back(&s->turns, &call->turn);
    watch_head(s);
}

/* The answer to the head's turn came. */
void sandbox_end_turn(struct sandbox *s, struct hook_call *call)
{
    int64_t now_us = clock_mono_us(), cpu_us = sandbox_cpu_us(s);

    call->left_us -= now_us - s->head_since_us;
    call->cpu_left_us -= cpu_us - s->cpu_us;
    s->head_since_us = now_us;
    s->cpu_us = cpu_us;
    list_unlink(&call->turn);
    watch_head(s);
}

static void kill_for_limit(struct sandbox *s, const struct hook_call *head, enum mh_err why,
                           const char *did, int64_t most_ms)
{
    char detail[DETAIL_BYTES];

    snprintf(detail, sizeof detail, "plugin %s: %s%s%s %s %lld ms (limits.%s) and was killed", s->plugin,
             head->hook, head->event ? " of event " : "", hook_event_id(head), did, (long long)most_ms,
             limit_name(hook_limit_of(why)));
    sandbox_kill(s, why, detail);
}

/* It waited for the CPU, or was not given it: what it has used says how long it may go on. */
static void look_again(struct sandbox *s, const struct hook_call *head, int64_t used_us)
{
    int64_t left_us = head->left_us - (clock_mono_us() - s->head_since_us);
    int64_t cpu_left_us = head->cpu_left_us - used_us;

    timer_start(&s->deadline, ((left_us < cpu_left_us ? left_us : cpu_left_us) + GRACE_US) / 1000 + 1);
}

void sandbox_on_deadline(struct timer *t)
{
    struct sandbox   *s = container_of(t, struct sandbox, deadline);
    struct hook_call *head = sandbox_head(s);

    if (s->closed) {
        sandbox_kill(s, MH_PROTOCOL, "the sandbox closed its socket and lived on");
        return;
    }
    if (!s->loaded) {
        sandbox_kill(s, MH_TIMEOUT, "loading the plugin took longer than its timeout");
        return;
    }
    if (head == NULL)
        return;
    int64_t used_us = sandbox_cpu_us(s) - s->cpu_us;
    if (clock_mono_us() - s->head_since_us >= head->left_us + GRACE_US)
        kill_for_limit(s, head, MH_TIMEOUT, "ran longer than", s->spec.limits.timeout_ms);
    else if (used_us >= head->cpu_left_us + GRACE_US)
        kill_for_limit(s, head, MH_CPU, "computed for longer than", s->spec.limits.cpu_ms);
    else
        look_again(s, head, used_us);
}

int64_t hook_call_left_ms(const struct hook_call *call)
{
    return call->left_us > 0 ? call->left_us / 1000 : 0;
}
