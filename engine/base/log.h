/* log.h - one event per line, key=value, on standard error.
 *
 *     LOG_INFO("plugin_ready", "plugin=%s pid=%d", name, pid);
 *     2026-01-22T10:00:00.123Z level=info event=plugin_ready plugin=slack pid=4711
 *
 * Text that is not ours (a plugin's, a client's) goes through log_quote():
 * one line stays one line and no terminal obeys it. Never log a secret. */
#pragma once

#include "base/err.h"

#include <stddef.h>
#include <stdint.h>

enum log_level { LOG_DEBUG_LEVEL, LOG_INFO_LEVEL, LOG_WARN_LEVEL, LOG_ERROR_LEVEL };

/* Lines below `level` are dropped. The default is info. */
void log_set_level(enum log_level level);

/* MH_INVALID for a word other than debug, info, warn, error. */
MH_MUST_USE enum mh_err log_level_parse(const char *word, enum log_level *level);

void log_write(enum log_level level, const char *event, const char *format, ...) MH_PRINTF(3, 4);

#define LOG_DEBUG(event, ...) log_write(LOG_DEBUG_LEVEL, event, __VA_ARGS__)
#define LOG_INFO(event, ...)  log_write(LOG_INFO_LEVEL, event, __VA_ARGS__)
#define LOG_WARN(event, ...)  log_write(LOG_WARN_LEVEL, event, __VA_ARGS__)
#define LOG_ERROR(event, ...) log_write(LOG_ERROR_LEVEL, event, __VA_ARGS__)

/* At most one line a second from this place in the code (guarantee Q5). */
struct log_limit { int64_t last_ms; };
int log_allowed(struct log_limit *limit);

/* Writes `text` as "quoted": quotes, control characters and what is not UTF-8
 * escaped, cut between characters to what fits `size`. Returns `out`. */
const char *log_quote(const char *text, char *out, size_t size);
