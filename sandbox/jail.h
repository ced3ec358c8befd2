/* jail.h - seals the process.
 *
 * Each layer of proto/layer.h stands for itself: one that the kernel does not offer is
 * left out of the set that the engine hears of in LOADED. Without one that must hold
 * nothing runs at all: the process ends with LAYER_EXIT_STATUS plus its number. */
#pragma once

#include "proto/layer.h"

#include <stddef.h>

/* Everything but the filter: descriptors, limits, rights. */
void jail_enter(size_t memory_bytes);

/* The system call filter, last: from here on only what Lua needs. `jit` leaves the
 * making of executable memory open. */
void jail_close(bool jit);

/* The layers that hold. */
unsigned jail_layers(void);
