/* hostile_sandbox.c - a sandbox program that was taken over: no jail, no Lua, every way of
 * breaking the protocol with the engine (proto/message.h).
 *
 * What it does stands in the first line of plugin.lua: "-- ATTACK NAME". It says that it is
 * the plugin NAME and behaves, but for ATTACK: one of the table `loading` when it is loaded,
 * or one of the table `calling` when it is called for an event of the type "misbehave". */
#include "base/buf.h"
#include "base/util.h"
#include "proto/frame.h"
#include "proto/layer.h"
#include "proto/message.h"

#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

enum { LINK_FD = 3, NAME_BYTES = 48, FLOOD = 2000000, MOST_BYTES = 4 * FRAME_MAX_BYTES };

static char       attack[NAME_BYTES] = "none", plugin[NAME_BYTES] = "jail-probe";
static bool       serving;                  /* else only the manifest is asked for */
static struct buf in, out;

/* ---- Frames ------------------------------------------------------------------------------ */

static void send_bytes(const void *bytes, size_t count)
{
    for (const char *at = bytes; count > 0;) {
        ssize_t n = send(LINK_FD, at, count, MSG_NOSIGNAL);
        if (n <= 0)
            _exit(0);
        at += n;
        count -= (size_t)n;
    }
}

static void gather(unsigned type, uint32_t id, const char *head, const char *body, size_t body_bytes)
{
    struct frame f = { .id = id, .type = (uint8_t)type, .head = head, .head_bytes = strlen(head),
                       .body = body, .body_bytes = body_bytes };
    if (frame_append(&out, &f) != MH_OK)
        abort();
}

static void flush(void)
{
    send_bytes(out.data, out.len);
    buf_reset(&out);
}

static void say(unsigned type, uint32_t id, const char *head, const char *body)
{
    gather(type, id, head, body, strlen(body));
    flush();
}

static void answer(uint32_t id) { say(MSG_RESULT, id, "{\"ok\":true}", "{\"calm\":true}"); }

/* `count` times `text` between `before` and `after`; never freed. */
static char *repeat(const char *before, const char *text, size_t count, const char *after)
{
    size_t letters = strlen(text);
    char  *all = malloc(strlen(before) + letters * count + strlen(after) + 1), *at = all;

    at = stpcpy(at, before);
    for (size_t i = 0; i < count; i++, at += letters)
        memcpy(at, text, letters);
    stpcpy(at, after);
    return all;
}

static void sleep_for_ever(void)
{
    for (;;)
        pause();
}

/* The header of an empty RESULT with one byte of it changed, or a length. */
static void say_header(uint32_t id, size_t at, unsigned char byte)
{
    gather(MSG_RESULT, id, "", "", 0);
    out.data[at] = (char)byte;
    flush();
}

/* ---- While it is called ---------------------------------------------------------------------- */

static void giant_length(uint32_t id) { say_header(id, 3, 0xff); }
static void unknown_type(uint32_t id) { say_header(id, 12, 99); }
static void unknown_flags(uint32_t id) { say_header(id, 13, 1); }
static void head_past_payload(uint32_t id) { say_header(id, 4, 1); }
static void engines_type(uint32_t id) { say(MSG_CALL, id, "{}", ""); }
static void other_id(uint32_t id) { answer(id + 1000); }
static void closes_socket(uint32_t id) { (void)id; close(LINK_FD); sleep_for_ever(); }
static void shuts_writing(uint32_t id) { (void)id; shutdown(LINK_FD, SHUT_WR); sleep_for_ever(); }
static void shuts_reading(uint32_t id) { (void)id; shutdown(LINK_FD, SHUT_RD); sleep_for_ever(); }
static void exits(uint32_t id) { (void)id; _exit(0); }
static void crashes(uint32_t id) { (void)id; raise(SIGSEGV); }
static void stops(uint32_t id) { (void)id; raise(SIGSTOP); }
static void never_answers(uint32_t id) { (void)id; sleep_for_ever(); }
static void holds(uint32_t id) { (void)id; }
static void loaded_again(uint32_t id);
static void failed_late(uint32_t id)
{
    (void)id;
    say(MSG_FAILED, 0, "{\"code\":\"ok\",\"message\":\"no\"}", "");
}
static void head_no_json(uint32_t id) { say(MSG_RESULT, id, "ok", "1"); }
static void head_array(uint32_t id) { say(MSG_RESULT, id, "[true]", "1"); }
static void head_twice(uint32_t id) { say(MSG_RESULT, id, "{\"ok\":true,\"ok\":true}", "1"); }
static void head_deep(uint32_t id) { say(MSG_RESULT, id, repeat("{\"ok\":", "[", 100000, ""), "1"); }
static void head_huge(uint32_t id)
{
    say(MSG_RESULT, id, repeat("{\"ok\":true,\"a\":\"", "x", 7 << 20, "\"}"), "1");
}
static void result_no_json(uint32_t id) { say(MSG_RESULT, id, "{\"ok\":true}", "{\"a\":"); }
static void result_deep(uint32_t id) { say(MSG_RESULT, id, "{\"ok\":true}", repeat("", "[", 200000, "")); }
static void log_level(uint32_t id)
{
    (void)id;
    say(MSG_LOG, 0, "{\"call\":0,\"level\":\"x\\nlevel=error\"}", "a");
}
static void log_other_call(uint32_t id)
{
    (void)id;
    say(MSG_LOG, 0, "{\"call\":4711,\"level\":\"info\"}", "a");
}
static void log_huge(uint32_t id)
{
    (void)id;
    say(MSG_LOG, 0, "{\"call\":0,\"level\":\"info\"}", repeat("", "x", 7 << 20, ""));
}

static void error_forged(uint32_t id)
{
    say(MSG_RESULT, id, "{\"ok\":false,\"code\":\"ok\",\"message\":\"\\u001b[2J\\n level=error\","
        "\"trace\":7,\"retry\":{\"after_s\":-1e300,\"never\":3}}", "");
}

static void result_twice(uint32_t id)
{
    answer(id);
    answer(id);
}

static void result_of_8_mib(uint32_t id)
{
    char *body = repeat("\"", "x", FRAME_MAX_BYTES - 13, "\"");
    say(MSG_RESULT, id, "{\"ok\":true}", body);
}

static void truncated(uint32_t id)
{
    gather(MSG_RESULT, id, "{\"ok\":true}", "true", 4);
    send_bytes(out.data, out.len - 2);
    _exit(0);
}

static void byte_by_byte(uint32_t id)
{
    gather(MSG_RESULT, id, "{\"ok\":true}", "true", 4);
    for (size_t i = 0; i < out.len; i++) {
        send_bytes(out.data + i, 1);
        usleep(200);
    }
    buf_reset(&out);
}

static void flood(unsigned type, const char *head, const char *body)
{
    gather(type, 1, head, body, strlen(body));
    for (int i = 0; i < FLOOD; i++)
        send_bytes(out.data, out.len);
}

static void requests(uint32_t id)
{
    char head[128];

    snprintf(head, sizeof head, "{\"call\":%u,\"op\":\"http\",\"method\":\"GET\","
             "\"url\":\"http://127.0.0.1:9/\"}", id);
    flood(MSG_REQUEST, head, "");
}

static void logs_of_call(uint32_t id)
{
    char head[64];

    snprintf(head, sizeof head, "{\"call\":%u,\"level\":\"info\"}", id);
    flood(MSG_LOG, head, "again");
}

static void logs_of_none(uint32_t id)
{
    (void)id;
    flood(MSG_LOG, "{\"call\":0,\"level\":\"info\"}", "again");
}

typedef void call_attack(uint32_t id);
static const struct { const char *name; call_attack *act; } calling[] = {
#define X(name) { #name, name }
    X(giant_length), X(unknown_type), X(unknown_flags), X(head_past_payload), X(engines_type),
    X(other_id), X(result_twice), X(truncated), X(byte_by_byte), X(never_answers), X(holds),
    X(loaded_again), X(failed_late), X(requests), X(logs_of_call), X(logs_of_none), X(log_level),
    X(log_other_call), X(log_huge), X(head_no_json), X(head_array), X(head_twice), X(head_deep),
    X(head_huge), X(result_of_8_mib), X(result_no_json), X(result_deep), X(error_forged),
    X(closes_socket), X(shuts_writing), X(shuts_reading), X(exits), X(crashes), X(stops),
#undef X
};

static void take_call(const struct frame *f)
{
    static const char asked[] = "\"event\":\"misbehave\"";

    if (memmem(f->body, f->body_bytes, asked, sizeof asked - 1) != NULL)
        for (size_t i = 0; i < ARRAY_LEN(calling); i++)
            if (strcmp(calling[i].name, attack) == 0) {
                calling[i].act(f->id);
                return;
            }
    answer(f->id);
}

/* ---- While it is loaded ------------------------------------------------------------------------ */

static void say_loaded(unsigned layers, const char *more)
{
    static char head[9 << 20];
    char        names[LAYERS_TEXT_BYTES], quoted[2 * LAYERS_TEXT_BYTES] = "";
    size_t      used = 0;

    layers_text(layers, names);
    for (const char *at = names; *at != '\0'; at++)
        used += (size_t)snprintf(quoted + used, sizeof quoted - used, *at == ',' ? "\",\"" : "%c", *at);
    snprintf(head, sizeof head, "{\"name\":\"%s\",\"version\":\"1.0.0\",\"author\":\"test\","
             "\"description\":\"hostile\",\"permissions\":[%s\"events:read\"],\"hooks\":[\"on_event\"],"
             "\"setup\":false,\"limits\":{\"timeout_ms\":700},\"jail\":[\"%s\"]%s}", plugin,
             serving && strcmp(attack, "load_otherwise") == 0 ? "\"http:*\"," : "", quoted, more);
    say(MSG_LOADED, 0, head, "");
}

static void loaded_again(uint32_t id)
{
    (void)id;
    say_loaded(LAYERS_ALL, "");
}

static void load_never(void) { sleep_for_ever(); }
static void load_exits(void) { _exit(0); }
static void load_closes(void) { close(LINK_FD); sleep_for_ever(); }
static void load_says_unsealed(void) { say_loaded(LAYERS_ALL & ~(1u << LAYER_undumpable), ""); }
static void load_no_landlock(void) { say_loaded(LAYERS_ALL & ~(1u << LAYER_landlock), ""); }
static void load_is_unsealed(void) { say_loaded(LAYERS_ALL, ""); }
static void load_huge(void) { say_loaded(LAYERS_ALL, repeat(",\"a\":\"", "x", 2 << 20, "\"")); }
static void load_deep(void) { say_loaded(LAYERS_ALL, repeat(",\"a\":", "[", 100000, "")); }
static void load_brackets(void) { say_loaded(LAYERS_ALL, repeat(",\"config\":[", "[],", 300000, "[]]")); }
static void load_twice_named(void) { say_loaded(LAYERS_ALL, ",\"name\":\"other\""); }
static void load_no_json(void) { say(MSG_LOADED, 0, "LOADED", ""); }
static void load_with_body(void) { say(MSG_LOADED, 0, "{}", "body"); }
static void load_answers(void) { answer(1); }
static void load_requests(void) { requests(1); }
static void load_floods(void) { logs_of_none(0); }
static void load_fails_hugely(void)
{
    say(MSG_FAILED, 0, repeat("{\"message\":\"", "\xc3\xa9", 2000, "\"}"), "");
}
static void load_otherwise(void) { say_loaded(LAYERS_ALL, ""); }

static void load_then_exit(void)
{
    say_loaded(LAYERS_ALL, "");
    if (serving)
        _exit(0);
}

static const struct { const char *name; void (*act)(void); } loading[] = {
#define X(name) { #name, name }
    X(load_never), X(load_exits), X(load_closes), X(load_says_unsealed), X(load_no_landlock),
    X(load_is_unsealed), X(load_huge), X(load_deep), X(load_brackets), X(load_twice_named),
    X(load_no_json), X(load_with_body), X(load_answers), X(load_requests), X(load_floods),
    X(load_fails_hugely), X(load_otherwise), X(load_then_exit),
#undef X
};

/* The engine asks the kernel; a filter that allows everything is a filter. */
static void look_sealed(void)
{
    struct sock_filter allow = BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
    struct sock_fprog  filter = { 1, &allow };

    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
    prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter, 0, 0);
}

static void take_load(const struct frame *f)
{
    serving = memmem(f->head, f->head_bytes, "\"mode\":\"serve\"", 14) != NULL;
    if (strcmp(attack, "load_is_unsealed") != 0)
        look_sealed();
    for (size_t i = 0; i < ARRAY_LEN(loading); i++)
        if (strcmp(loading[i].name, attack) == 0) {
            loading[i].act();
            return;
        }
    say_loaded(LAYERS_ALL, "");
}

/* ---- Its life -------------------------------------------------------------------------------------- */

static void take_file(const struct frame *f)
{
    char text[4 * NAME_BYTES] = "";

    memcpy(text, f->body, f->body_bytes < sizeof text ? f->body_bytes : sizeof text - 1);
    sscanf(text, "-- %47s %47s", attack, plugin);
}

static void take(const struct frame *f)
{
    if (f->type == MSG_FILE)
        take_file(f);
    else if (f->type == MSG_LOAD)
        take_load(f);
    else if (f->type == MSG_CALL)
        take_call(f);
}

int main(void)
{
    char         bytes[65536];
    struct frame f;
    size_t       used;
    ssize_t      n;

    buf_init(&in, MOST_BYTES);
    buf_init(&out, MOST_BYTES);
    while ((n = read(LINK_FD, bytes, sizeof bytes)) > 0) {
        if (buf_append(&in, bytes, (size_t)n) != MH_OK)
            return 1;
        while (frame_parse(in.data, in.len, &f, &used) == MH_OK) {
            take(&f);
            buf_consume(&in, used);
        }
    }
    return 0;
}
