/* json_write.h - writes JSON text straight into a buffer: for what is written with every
 * delivery, and read for few. Commas come by themselves; brackets are the caller's, in order.
 *
 * `name` is a member's, NULL in an array; it is written as it stands, so it must need no
 * escape. What does not fit is remembered: json_writer_take() then gives nothing. */
#pragma once

#include "base/buf.h"

#include <stdbool.h>
#include <stdint.h>

struct json_writer { struct buf text; bool failed; };

/* Owns memory until json_writer_take(). */
void json_writer_init(struct json_writer *w, size_t max_bytes);

void json_write_open(struct json_writer *w, const char *name, char bracket);      /* '{' or '[' */
void json_write_close(struct json_writer *w, char bracket);

/* `text` is UTF-8; what has to be escaped is. */
void json_write_text(struct json_writer *w, const char *name, const char *text, size_t bytes);
void json_write_string(struct json_writer *w, const char *name, const char *text);
void json_write_int(struct json_writer *w, const char *name, int64_t value);
void json_write_bool(struct json_writer *w, const char *name, bool value);
void json_write_null(struct json_writer *w, const char *name);
/* A time in microseconds as milliseconds, "12.345"; never negative. */
void json_write_ms(struct json_writer *w, const char *name, int64_t us);
/* Members or items that are JSON text already; "" and NULL: none. */
void json_write_more(struct json_writer *w, const char *text);

/* The text, NUL-terminated, which the caller frees; NULL where it did not fit. */
char *json_writer_take(struct json_writer *w);
