/* jail.h - which layers of the jail hold on this machine, found out before anything is
 * served, by one sandbox with nothing in it. */
#pragma once

#include "io/json.h"
#include "io/loop.h"
#include "proto/layer.h"

#include <stdbool.h>

struct buf;
struct child;

struct jail {
    bool     full;                          /* --require-jail full: refuse to run with less */
    unsigned layers;                        /* those that hold; none before the probe */
};

/* What every sandbox must have. */
unsigned jail_required(const struct jail *j);

/* Starts the probe; logs one line about what it finds. `done` comes once, perhaps inside:
 * MH_JAIL when the engine may not run with that. */
void jail_probe(struct jail *j, uv_loop_t *loop, const char *program,
                void (*done)(void *arg, enum mh_err err), void *arg);

/* A sentence with the missing layers and what to do about the first of them. */
enum { JAIL_TEXT_BYTES = 400 };
const char *jail_lacks(unsigned missing, char out[JAIL_TEXT_BYTES]);

/* The layers that LOADED names, less those that the kernel, asked about the process, denies. */
unsigned jail_layers_of(const struct child *process, const json_t *loaded);

void jail_metrics(const struct jail *j, struct buf *out);
