/* jail.h - seals the process.
 *
 * Each layer stands for itself: one that the kernel does not offer is left out and
 * missing from the list that the engine gets in LOADED. Without the seccomp filter
 * and the limits nothing runs at all. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

enum { JAIL_MAX_LAYERS = 12 };

/* Everything but the filter: descriptors, limits, rights. Ends the process when a
 * layer that must hold does not. */
void jail_enter(size_t memory_bytes);

/* The system call filter, last: from here on only what Lua needs. `jit` leaves the
 * making of executable memory open. */
void jail_close(bool jit);

/* Names of the layers that hold, NULL at the end. */
const char *const *jail_layers(void);
