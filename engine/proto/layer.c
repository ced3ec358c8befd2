/* layer.c - reads the table of layers in layer.h. */
#include "proto/layer.h"

#include <stdio.h>
#include <string.h>

static const struct { const char *name, *remedy; bool must; } rows[] = {
#define X(name, must, remedy) [LAYER_##name] = { #name, remedy, must },
    MH_JAIL_LAYERS(X)
#undef X
};

#define X(name, must, remedy) + sizeof #name
_Static_assert(0 MH_JAIL_LAYERS(X) <= LAYERS_TEXT_BYTES, "all names with their commas fit");
#undef X

bool        layer_in(unsigned set, enum layer layer) { return set >> layer & 1; }
const char *layer_name(enum layer layer) { return rows[layer].name; }
const char *layer_remedy(enum layer layer) { return rows[layer].remedy; }

unsigned layers_must(void)
{
    unsigned set = 0;

    for (int i = 0; i < LAYER_COUNT; i++)
        set |= rows[i].must ? 1u << i : 0;
    return set;
}

enum layer layer_from_name(const char *name)
{
    int i = 0;

    while (i < LAYER_COUNT && strcmp(rows[i].name, name) != 0)
        i++;
    return (enum layer)i;
}

const char *layers_text(unsigned set, char out[LAYERS_TEXT_BYTES])
{
    int used = 0;

    out[0] = '\0';
    for (int i = 0; i < LAYER_COUNT; i++)
        if (layer_in(set, (enum layer)i))
            used += snprintf(out + used, (size_t)(LAYERS_TEXT_BYTES - used), "%s%s",
                             used ? "," : "", rows[i].name);
    return out;
}
