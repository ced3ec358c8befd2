/* sandbox_load.c - see sandbox_load.h. */
#include "core/sandbox_load.h"

#include "core/sandbox_frame.h"
#include "proto/message.h"

#include <stdlib.h>

static enum mh_err send_text(struct channel *channel, enum msg_type type, const json_t *head,
                             const char *body, size_t bytes)
{
    size_t      head_bytes = 0;
    char       *text = json_text(head, &head_bytes);
    enum mh_err err = text ? channel_send(channel, &(struct frame){ .type = (uint8_t)type,
                                 .head = text, .head_bytes = head_bytes, .body = body,
                                 .body_bytes = bytes }) : MH_NOMEM;
    free(text);
    return err;
}

static enum mh_err send_files(struct channel *channel, const json_t *files)
{
    const char *name;
    json_t     *source;
    enum mh_err err = MH_OK;

    json_object_foreach((json_t *)files, name, source) {
        json_t *head = json_pack("{s:s}", "name", name);
        if (err == MH_OK)
            err = send_text(channel, MSG_FILE, head, json_string_value(source),
                            json_string_length(source));
        json_decref(head);
    }
    return err;
}

static enum mh_err send_load(struct channel *channel, const struct sandbox_spec *spec)
{
    json_t *head = json_pack("{s:s, s:O, s:{s:I, s:I, s:I, s:i}, s:b, s:s}", "name", spec->plugin,
                             "config", spec->config, "limits",
                             "timeout_ms", (json_int_t)spec->limits.timeout_ms,
                             "cpu_ms", (json_int_t)spec->limits.cpu_ms,
                             "result_bytes", (json_int_t)spec->limits.result_bytes,
                             "log_lines", SANDBOX_LOGS_PER_CALL,
                             "jit", (int)spec->jit, "mode", spec->manifest_only ? "manifest" : "serve");
    enum mh_err err = head ? send_text(channel, MSG_LOAD, head, NULL, 0) : MH_NOMEM;

    json_decref(head);
    return err;
}

enum mh_err sandbox_send_plugin(struct channel *channel, const struct sandbox_spec *spec)
{
    enum mh_err err = send_files(channel, spec->files);
    return err == MH_OK ? send_load(channel, spec) : err;
}
