/* supervisor.h - `moonhook serve --workers N`: several engines on one port. */
#pragma once

struct settings;

/* The descriptor on which a worker talks to its supervisor, and the variable that tells
 * it that it is one. */
enum { WORKER_FD = 3 };
#define WORKER_VARIABLE "MOONHOOK_WORKER"

/* Runs settings->workers engines, each a process of its own with the same command line;
 * argv: what `serve` was given. Prints `ready http://ADDR:PORT` when all of them serve.
 * Returns the process's exit code, as engine_run() does. */
int supervisor_run(const struct settings *settings, int argc, char **argv);
