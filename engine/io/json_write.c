/* json_write.c - see json_write.h. */
#include "io/json_write.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { FIRST_BYTES = 2000 };               /* the story of a usual attempt */

void json_writer_init(struct json_writer *w, size_t max_bytes)
{
    buf_init(&w->text, max_bytes);
    w->failed = buf_reserve(&w->text, max_bytes < FIRST_BYTES ? max_bytes : FIRST_BYTES) != MH_OK;
}

/* Many small pieces: one test each, most of the time. */
static bool has_room(struct json_writer *w, size_t bytes)
{
    if (w->text.cap - w->text.len > bytes)
        return true;
    w->failed = w->failed || buf_reserve(&w->text, bytes) != MH_OK;
    return !w->failed;
}

static void put(struct json_writer *w, const char *text, size_t bytes)
{
    if (!has_room(w, bytes))
        return;
    memcpy(w->text.data + w->text.len, text, bytes);
    w->text.len += bytes;
}

static void put_char(struct json_writer *w, char c)
{
    if (has_room(w, 1))
        w->text.data[w->text.len++] = c;
}

/* Before a value or a member: a comma, but behind an opening bracket and at the beginning. */
static void separate(struct json_writer *w)
{
    char last = w->text.len > 0 ? w->text.data[w->text.len - 1] : '{';

    if (last != '{' && last != '[')
        put_char(w, ',');
}

static void begin(struct json_writer *w, const char *name)
{
    separate(w);
    if (name == NULL)
        return;
    put_char(w, '"');
    put(w, name, strlen(name));
    put(w, "\":", 2);
}

void json_write_open(struct json_writer *w, const char *name, char bracket)
{
    begin(w, name);
    put_char(w, bracket);
}

void json_write_close(struct json_writer *w, char bracket) { put_char(w, bracket); }

static void put_escape(struct json_writer *w, unsigned char c)
{
    static const char letters[] = "\"\"\\\\\bb\ff\nn\rr\tt";    /* what, and its letter */
    char              code[8];

    for (const char *pair = letters; *pair != '\0'; pair += 2)
        if ((unsigned char)*pair == c) {
            put(w, (const char[]){ '\\', pair[1] }, 2);
            return;
        }
    put(w, code, (size_t)snprintf(code, sizeof code, "\\u%04x", c));
}

void json_write_text(struct json_writer *w, const char *name, const char *text, size_t bytes)
{
    size_t from = 0;

    begin(w, name);
    put_char(w, '"');
    for (size_t at = 0; at < bytes; at++) {
        unsigned char c = (unsigned char)text[at];
        if (c >= ' ' && c != '"' && c != '\\')
            continue;
        put(w, text + from, at - from);
        put_escape(w, c);
        from = at + 1;
    }
    put(w, text + from, bytes - from);
    put_char(w, '"');
}

void json_write_string(struct json_writer *w, const char *name, const char *text)
{
    json_write_text(w, name, text, strlen(text));
}

void json_write_int(struct json_writer *w, const char *name, int64_t value)
{
    char digits[24];

    begin(w, name);
    put(w, digits, (size_t)snprintf(digits, sizeof digits, "%" PRId64, value));
}

void json_write_bool(struct json_writer *w, const char *name, bool value)
{
    begin(w, name);
    put(w, value ? "true" : "false", value ? 4 : 5);
}

void json_write_null(struct json_writer *w, const char *name)
{
    begin(w, name);
    put(w, "null", 4);
}

void json_write_ms(struct json_writer *w, const char *name, int64_t us)
{
    char    digits[32], *at = digits + sizeof digits;
    int64_t left = us > 0 ? us : 0;

    for (int place = 0; place < 3; place++, left /= 10)
        *--at = (char)('0' + left % 10);
    *--at = '.';
    do {
        *--at = (char)('0' + left % 10);
    } while ((left /= 10) > 0);
    begin(w, name);
    put(w, at, (size_t)(digits + sizeof digits - at));
}

void json_write_more(struct json_writer *w, const char *text)
{
    if (text == NULL || text[0] == '\0')
        return;
    separate(w);
    put(w, text, strlen(text));
}

char *json_writer_take(struct json_writer *w)
{
    size_t bytes;
    char  *text = buf_take(&w->text, &bytes);

    if (w->failed) {
        free(text);
        return NULL;
    }
    text[bytes] = '\0';                     /* room for it is there: see has_room() */
    return text;
}
