/* message.c - reads the table of messages in message.h. */
#include "proto/message.h"

#include <stddef.h>

struct row { const char *name; enum msg_side from; };

static const struct row rows[] = {
#define X(name, number, from) [number] = { #name, MSG_FROM_##from },
    MH_MESSAGES(X)
#undef X
};

static const struct row *row_of(unsigned type)
{
    if (type >= sizeof rows / sizeof rows[0] || rows[type].name == NULL)
        return NULL;
    return &rows[type];
}

bool message_known(unsigned type) { return row_of(type) != NULL; }

bool message_from(unsigned type, enum msg_side side)
{
    const struct row *row = row_of(type);
    return row != NULL && row->from == side;
}

const char *message_name(unsigned type)
{
    const struct row *row = row_of(type);
    return row ? row->name : "?";
}
