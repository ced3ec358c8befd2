/* err.h - every way in which something can fail, in one table.
 *
 * The table is the single source of the HTTP status, of the word that the REST
 * API, the logs and the metrics use, and of the sentence that people read. */
#pragma once

#define MH_MUST_USE __attribute__((warn_unused_result))
#define MH_PRINTF(format_at, args_at) __attribute__((format(printf, format_at, args_at)))

#define MH_ERRORS(X)      /* name, HTTP status, code, sentence */                                  \
    X(OK,          200, "ok",             "ok")                                                    \
    X(NOMEM,       503, "out_of_memory",  "out of memory")                                         \
    X(INVALID,     400, "invalid",        "the request is not valid")                              \
    X(UNPROCESSABLE, 422, "unprocessable", "a field of the request is not valid")                  \
    X(UNAUTHORIZED, 401, "unauthorized",  "the API key is missing or not known")                   \
    X(FORBIDDEN,   403, "forbidden",      "the API key may not do this")                           \
    X(DENIED,      403, "denied",         "the plugin's permissions do not allow this")            \
    X(NOT_FOUND,   404, "not_found",      "there is no such thing")                                \
    X(METHOD,      405, "method_not_allowed", "this path does not take this method")               \
    X(CONFLICT,    409, "conflict",       "the request conflicts with the present state")          \
    X(PRECONDITION, 412, "precondition",  "it is not what If-Match says that it is")               \
    X(TOO_LARGE,   413, "too_large",      "more bytes than allowed")                               \
    X(MEDIA_TYPE,  415, "media_type",     "this content type is not understood")                   \
    X(BUSY,        429, "busy",           "too much is under way; try again later")                \
    X(INTERNAL,    500, "internal",       "an internal error; the log tells more")                 \
    X(UNAVAILABLE, 503, "unavailable",    "the store cannot be reached; try again later")          \
    X(STALE,       503, "stale",          "this engine lost its claims and starts over")           \
    X(IO,          503, "io",             "an input or output error")                              \
    X(PROTOCOL,    502, "protocol",       "the other side broke the protocol")                     \
    X(DNS,         502, "dns",            "the host name does not resolve")                        \
    X(CONNECT,     502, "connect",        "the connection could not be made")                      \
    X(TLS,         502, "tls",            "TLS failed or the certificate is not trusted")          \
    X(BLOCKED,     502, "blocked",        "the address is private and not allowed")                \
    X(STATUS,      502, "status",         "the answer's status is not a success")                  \
    X(TIMEOUT,     504, "timeout",        "no answer in time")                                     \
    X(CPU,         504, "cpu_time",       "the hook used more CPU time than its limit")            \
    X(LIMIT,       429, "limit",          "a limit of the plugin is reached")                      \
    X(CANCELLED,   503, "cancelled",      "cancelled")                                             \
    X(PLUGIN,      502, "plugin_error",   "the plugin raised an error")                            \
    X(CRASHED,     502, "plugin_crashed", "the plugin's process ended in the middle of the call")   \
    X(JAIL,        503, "jail",           "the sandbox is not sealed as it must be")               \
    X(MEMORY,      502, "memory",         "the plugin used more memory than limits.memory_mb")      \
    X(RESULT,      502, "bad_result",     "the plugin returned what cannot be written as JSON")

enum mh_err {
#define X(name, status, code, text) MH_##name,
    MH_ERRORS(X)
#undef X
    MH_ERR_COUNT
};

/* All three are total: an unknown value reads as MH_INTERNAL. Static strings. */
int         err_http_status(enum mh_err err);
const char *err_code(enum mh_err err);
const char *err_text(enum mh_err err);

/* The error whose code is `code`; MH_INTERNAL for a code that is not known. */
enum mh_err err_from_code(const char *code);
