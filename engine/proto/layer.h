/* layer.h - the layers of the jail, in one table that both sides read.
 *
 * In the order in which the sandbox lays them, and why in this one (DESIGN 2, rule 6,
 * names them in another): unshare() clears "dumpable" and the parent's signal, so these
 * come after it; the capabilities that a fresh user namespace gives are dropped behind
 * it; Landlock is refused without no_new_privs, so that comes before.
 *
 * A layer that "must" hold is part of every kernel that moonhook runs on: without it the
 * sandbox ends before it reads a byte, and the engine believes no sandbox that lacks it.
 * Of the others the engine says at its start which are missing; --require-jail full
 * refuses to run then. */
#pragma once

#include <stdbool.h>

/* name, must, what to do where it is missing */
#define MH_JAIL_LAYERS(X)                                                                          \
    X(descriptors,  true,  "run Linux 5.9 or newer, which has close_range()")                      \
    X(rlimits,      true,  "run the sandbox that came with this engine")                           \
    X(namespaces,   false, "allow user namespaces (sysctl user.max_user_namespaces, the seccomp "  \
                           "profile of the container)")                                            \
    X(capabilities, true,  "run the sandbox that came with this engine")                           \
    X(no_new_privs, true,  "run the sandbox that came with this engine")                           \
    X(landlock,     false, "boot a kernel with CONFIG_SECURITY_LANDLOCK and landlock among lsm=")  \
    X(undumpable,   true,  "run the sandbox that came with this engine")                           \
    X(parent_death, true,  "run the sandbox that came with this engine")                           \
    X(seccomp,      true,  "boot a kernel with CONFIG_SECCOMP_FILTER")

enum layer {
#define X(name, must, remedy) LAYER_##name,
    MH_JAIL_LAYERS(X)
#undef X
    LAYER_COUNT
};

enum {
    LAYERS_ALL = (1 << LAYER_COUNT) - 1,
    /* A sandbox that cannot lay a layer that must hold ends with this status plus the
     * layer's number; it has nothing else to say it with. */
    LAYER_EXIT_STATUS = 80,
};

/* Sets of layers have bit 1 << layer. */
bool        layer_in(unsigned set, enum layer layer);
unsigned    layers_must(void);
const char *layer_name(enum layer layer);
const char *layer_remedy(enum layer layer);
/* LAYER_COUNT for a name that is none. */
enum layer  layer_from_name(const char *name);

/* "descriptors,rlimits" */
enum { LAYERS_TEXT_BYTES = 160 };
const char *layers_text(unsigned set, char out[LAYERS_TEXT_BYTES]);
