/* engine.h - the running engine: what `moonhook serve` is. */
#pragma once

struct settings;

/* Starts everything in order, prints `ready http://ADDR:PORT` on standard output,
 * serves until SIGTERM or SIGINT, drains and stops. Returns the process's exit
 * code: 0 after an orderly stop, 1 where it could not start or had to give up
 * (the log says why). Borrows `settings` for as long as it runs.
 * parent_fd: -1, or the socket to the supervisor (supervisor.h) whose worker this is. A
 * worker shares its port, tells there by which name Redis knows it and that it is ready, and
 * ends when its parent does. predecessor: what the supervisor told it (WORKER_VARIABLE), or
 * NULL; borrowed like `settings`. */
int engine_run(const struct settings *settings, int parent_fd, const char *predecessor);
