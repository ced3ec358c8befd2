/* hook_story.c - see hook_story.h. */
#include "core/hook_story.h"

#include "core/delivery.h"

#include <stdlib.h>
#include <string.h>

enum { MAX_LINES = 64, MAX_LOG_BYTES = 16 * 1024 };

const char *hook_event_id(const struct hook_call *call)
{
    return call->event ? call->event->id : "";
}

enum limit hook_limit_of(enum mh_err err)
{
    switch (err) {
    case MH_TIMEOUT: return LIMIT_TIMEOUT;
    case MH_CPU:     return LIMIT_CPU;
    case MH_MEMORY:  return LIMIT_MEMORY;
    default:         return LIMIT_NONE;
    }
}

enum limit hook_limit_refused(const struct hook_call *call)
{
    static const enum limit refusing[] = { LIMIT_REQUESTS, LIMIT_STORE_KEYS, LIMIT_STORE_BYTES,
                                           LIMIT_EVENTS };

    for (size_t i = 0; i < ARRAY_LEN(refusing); i++)
        if (call->breached >> refusing[i] & 1)
            return refusing[i];
    return LIMIT_NONE;
}

static void name_limit(json_t *error, const char *plugin, const struct hook_call *call,
                       enum limit which)
{
    json_put(error, "limit", json_string(limit_name(which)));
    json_put(error, "plugin", json_string(plugin));
    json_put(error, "hook", json_string(call->hook));
    json_put(error, "event", json_string(hook_event_id(call)));
}

char *hook_error_facts(const char *plugin, const struct hook_call *call,
                       const struct hook_failure *f)
{
    json_t *error = json_pack("{s:s, s:o}", "code", err_code(f->err), "message",
                              delivery_text(f->message, strlen(f->message)));

    if (f->limit != LIMIT_NONE)
        name_limit(error, plugin, call, f->limit);
    if (f->killed)
        json_put(error, "killed", json_true());
    if (f->trace != NULL && f->trace[0] != '\0')
        json_put(error, "trace", delivery_text(f->trace, strlen(f->trace)));
    return delivery_facts(json_pack("{s:o}", "error", error));
}

void hook_keep_log(struct hook_call *call, const char *level, json_t *text, size_t bytes)
{
    call->log_bytes += bytes;
    if (call->logs == NULL)
        call->logs = json_array();
    if (call->log_bytes <= MAX_LOG_BYTES && json_array_size(call->logs) < MAX_LINES)
        json_array_append_new(call->logs,
                              json_pack("{s:s, s:O}", "level", level, "message", text));
}

/* Adds the members of `more` (stolen). */
static void add_facts(struct hook_result *r, json_t *more)
{
    char *text = delivery_facts(more), *before = r->facts;

    if (text == NULL)
        return;
    r->facts = mem_printf("%s%s%s", before ? before : "", before ? "," : "", text);
    free(before);
    free(text);
}

static json_t *breached_names(const struct hook_call *call)
{
    json_t *names = json_array();

    for (unsigned i = 0; i < LIMIT_COUNT; i++)
        if (call->breached >> i & 1)
            json_array_append_new(names, json_string(limit_name((enum limit)i)));
    return names;
}

void hook_add_story(struct hook_call *call, struct hook_result *r)
{
    if (call->breached != 0)
        add_facts(r, json_pack("{s:o}", "limits_reached", breached_names(call)));
    if (call->logs != NULL)
        add_facts(r, json_pack("{s:o}", "logs", call->logs));
    call->logs = NULL;
}
