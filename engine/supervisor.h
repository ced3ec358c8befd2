/* supervisor.h - `moonhook serve --workers N`: several engines on one port. */
#pragma once

struct settings;

/* The descriptor on which a worker talks to its supervisor (SOCK_SEQPACKET, a word each:
 * the name by which Redis knows it, whenever it has a new one, and WORKER_READY), and the
 * variable that tells it that it is one, and whose work it goes on with:
 *   WORKER_FIRST   no worker lives: the Redis is the supervisor's, and this one the first
 *   WORKER_NEW     nobody's
 *   a name         that of the worker which ended in its place */
enum { WORKER_FD = 3 };
#define WORKER_VARIABLE "MOONHOOK_WORKER"
#define WORKER_READY    "+ready"            /* what begins by '+' is no id */
#define WORKER_FIRST    "+first"
#define WORKER_NEW      "+new"

/* Runs settings->workers engines, each a process of its own with the same command line;
 * argv: what `serve` was given. Prints `ready http://ADDR:PORT` when all of them serve.
 * Returns the process's exit code, as engine_run() does. */
int supervisor_run(const struct settings *settings, int argc, char **argv);
