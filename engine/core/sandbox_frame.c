/* sandbox_frame.c - see sandbox_frame.h. */
#include "core/sandbox_frame.h"

#include "base/util.h"
#include "proto/layer.h"
#include "proto/message.h"

#include <string.h>

/* How much each may be; the sandbox's own limits stand in its host.c and outcome.h. */
static const struct bound {
    enum msg_type type;
    size_t        head_bytes, body_bytes;
} bounds[] = {
    { MSG_LOADED,  MH_MIB,       0 },
    { MSG_FAILED,  128 * MH_KIB, 0 },
    { MSG_RESULT,  128 * MH_KIB, FRAME_MAX_BYTES },     /* a larger result is a typed error */
    { MSG_REQUEST, MH_MIB,       FRAME_MAX_BYTES },
    { MSG_LOG,     128,          SANDBOX_LOG_BYTES },
};

static const struct bound *bound_of(unsigned type)
{
    for (size_t i = 0; i < ARRAY_LEN(bounds); i++)
        if (bounds[i].type == type)
            return &bounds[i];
    return NULL;
}

enum mh_err sandbox_frame_read(const struct frame *f, json_t **head, const char **why)
{
    const struct bound *most = bound_of(f->type);
    struct json_fault   fault;
    json_t             *value = NULL;

    if (most == NULL)
        *why = "a message that the sandbox may not send";
    else if (f->head_bytes > most->head_bytes || f->body_bytes > most->body_bytes)
        *why = "a message that is larger than its kind may be";
    else if (json_parse(f->head, f->head_bytes, &value, &fault) != MH_OK || !json_is_object(value))
        *why = "a message whose head is no JSON object";
    else {
        *head = value;
        return MH_OK;
    }
    json_decref(value);
    return MH_PROTOCOL;
}

const char *sandbox_frame_level(const json_t *head)
{
    static const char *const levels[] = { "debug", "info", "warn", "error" };
    const char              *said = json_text_of(head, "level", "");

    for (size_t i = 0; i < ARRAY_LEN(levels); i++)
        if (strcmp(levels[i], said) == 0)
            return levels[i];
    return NULL;
}

unsigned sandbox_frame_layers(const json_t *head)
{
    const json_t *named = json_object_get(head, "jail");
    unsigned      set = 0;

    for (size_t i = 0; i < json_array_size(named); i++) {
        const char *name = json_string_value(json_array_get(named, i));
        enum layer  layer = name ? layer_from_name(name) : LAYER_COUNT;
        set |= layer < LAYER_COUNT ? 1u << layer : 0;
    }
    return set;
}

void sandbox_frame_retry(const json_t *head, struct hook_result *r)
{
    const json_t *retry = json_object_get(head, "retry");
    const json_t *after = json_object_get(retry, "after_s");

    r->never = json_bool_of(retry, "never", false);
    if (json_is_number(after) && json_number_value(after) >= 0 && json_number_value(after) < 1e9)
        r->retry_after_ms = (int64_t)(json_number_value(after) * 1000);
}

enum mh_err sandbox_frame_value(const struct frame *f, struct hook_result *r,
                                struct json_fault *fault)
{
    json_t *value = NULL;

    if (f->body_bytes > 0 && json_parse(f->body, f->body_bytes, &value, fault) != MH_OK)
        return MH_RESULT;
    json_decref(value);
    r->facts = f->body_bytes > 0 ? mem_printf("\"result\":%.*s", (int)f->body_bytes, f->body)
                                 : mem_strdup("\"result\":null");
    return MH_OK;
}
