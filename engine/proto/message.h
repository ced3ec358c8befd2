/* message.h - the messages between engine and sandbox, in one table.
 *
 * Life of a process: the engine sends FILE for every source file, then LOAD.
 * The sandbox seals itself before it reads the first frame, evaluates
 * plugin.lua and answers LOADED or FAILED. After LOADED the engine may send
 * CALL; every CALL is answered by exactly one RESULT. While a hook runs it may
 * send any number of LOG, and REQUESTs, each of which the engine answers with
 * exactly one REPLY with its id. A REQUEST suspends its hook, no other. CANCEL
 * drops a suspended hook; no RESULT follows. EOF on the socket ends the sandbox.
 *
 * Order is a promise that the engine builds on: the sandbox takes frames in the
 * order in which they came, and what one resumption of a hook gives (its RESULT
 * or its next REQUEST) is written before the next frame is taken. So when the
 * process hangs or dies, the oldest CALL or REPLY without an answer is the one
 * to blame, and no other hook is charged with it.
 *
 * Heads (JSON) and bodies (raw):
 *
 *   FILE    {"name":"plugin.lua"}                                source text
 *   LOAD    {"name","config":{...},"limits":{"timeout_ms","cpu_ms","result_bytes",
 *            "log_lines"},"jit":false,"mode":"serve"|"manifest"}      -
 *           "manifest": evaluate and describe only; setup is not run and every
 *           REQUEST is refused
 *   LOADED  the manifest: {"name","version","author","description","categories",
 *            "permissions","config","limits","fail","hooks":["on_alert",..],
 *            "setup":bool,"setup_at":"plugin.lua:9","jail":["seccomp",..]}  -
 *   FAILED  {"code","message","trace"}                            -
 *   CALL    {"hook":"on_alert","attempt":1,"delivery_id":"..","arg":"data"|"event"|"none"}
 *                                          the event: {"id","event","timestamp","org_id","data"}
 *           "data": the hook gets event.data; "event": the whole event;
 *           "none": setup and the like, which get only ctx; the body is then empty
 *   RESULT  {"ok":true}                                           the result as JSON
 *           {"ok":false,"code","message","trace","retry":{"after_s":n}|{"never":true}?,
 *           "too_large":true?,"spent":true?}                     -
 *           "spent": memory ran out, and stays full without any hook
 *   REQUEST {"call":id,"op":"http", ...}    see "Requests" below     request body
 *   REPLY   {"ok":true, ...}|{"ok":false,"code","message"}        response body
 *   LOG     {"call":id,"level":"info"}                            the message
 *   CANCEL  {}                                                    -
 *
 * Requests, by "op"; lua/moonhook/ makes them, engine/core/broker_*.c reads them. A REPLY
 * that is not ok has {"ok":false,"code","message","final":true?}: `final` where no later
 * attempt will fare better.
 *
 *   http    {"method":"POST","url","headers":[["Name","value"],..],"query":[["k","v"],..]?,
 *            "auth":["user","password"]?,"timeout_ms":n?,
 *            "body":"json"|"form"|"raw"|"none"}                       what is sent
 *           "body" tells how a secret that stands in it as a token is written.
 *        -> {"ok":true,"status":200,"headers":{"content-type":".."},
 *            "retry_after_s":n?}                                      what came back
 *   sign    {"what":"hmac","algorithm":"sha256","encoding":"hex"?,
 *            "key_bytes":n}                                           key, then text
 *           {"what":"digest","algorithm","encoding"?}                 text
 *           {"what":"equal","key_bytes":n}                            one text, then the other
 *           {"what":"jwt","key_bytes":n}                              key, then claims as JSON
 *           {"what":"jwt_verify","leeway_s":n?,"key_bytes":n}         key, then token
 *           "key_bytes" tells where the first ends: keys are bytes, which JSON cannot hold.
 *        -> {"ok":true,"equal":true?,"refused":"why"?}                MAC, digest, JWT, claims
 *   store   {"what":"get"|"delete","key"}                             -
 *           {"what":"set","key","live_ms":n?}                         value as JSON
 *           {"what":"incr","key","by":n?,"live_ms":n?}                -
 *           {"what":"cas","key","live_ms":n?,"expected_bytes":n?}     value expected, value
 *           {"what":"list","prefix"?,"key"?,"limit":n?}               -
 *           Without "expected_bytes" no value is expected; the "key" of list is the one
 *           behind which to begin.
 *        -> {"ok":true,"found":bool?,"done":bool?,"number":n?,
 *            "more":bool?}                                            value, or a list of keys
 *   emit    {"event":type,"id"?}                                      its data, a JSON object
 *        -> {"ok":true,"id","duplicate":bool}                         -
 */
#pragma once

#include <stdbool.h>

#define MH_MESSAGES(X)        /* name, number, from */                                             \
    X(FILE,    1, ENGINE)                                                                          \
    X(LOAD,    2, ENGINE)                                                                          \
    X(CALL,    3, ENGINE)                                                                          \
    X(REPLY,   4, ENGINE)                                                                          \
    X(CANCEL,  5, ENGINE)                                                                          \
    X(LOADED, 16, SANDBOX)                                                                         \
    X(FAILED, 17, SANDBOX)                                                                         \
    X(RESULT, 18, SANDBOX)                                                                         \
    X(REQUEST, 19, SANDBOX)                                                                        \
    X(LOG,    20, SANDBOX)

enum msg_type {
#define X(name, number, from) MSG_##name = number,
    MH_MESSAGES(X)
#undef X
};

enum msg_side { MSG_FROM_ENGINE, MSG_FROM_SANDBOX };

bool message_known(unsigned type);

/* Whether `side` may send a message of this type. */
bool message_from(unsigned type, enum msg_side side);

const char *message_name(unsigned type);    /* "CALL"; "?" for an unknown type */
