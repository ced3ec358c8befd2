/* redis_slots.c - see redis_slots.h. */
#include "io/redis_slots.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* CRC16-CCITT as XMODEM uses it: polynomial 0x1021, begins at 0. Keys are short. */
static unsigned crc16(const char *bytes, size_t count)
{
    unsigned crc = 0;

    for (size_t i = 0; i < count; i++) {
        crc ^= (unsigned)(uint8_t)bytes[i] << 8;
        for (int bit = 0; bit < 8; bit++)
            crc = (crc & 0x8000u) != 0 ? (crc << 1) ^ 0x1021u : crc << 1;
    }
    return crc & 0xffffu;
}

int redis_key_slot(const char *key, size_t bytes)
{
    const char *open = memchr(key, '{', bytes);

    if (open != NULL) {
        size_t      left = bytes - (size_t)(open + 1 - key);
        const char *close = memchr(open + 1, '}', left);
        if (close != NULL && close > open + 1) {
            key = open + 1;
            bytes = (size_t)(close - key);
        }
    }
    return (int)(crc16(key, bytes) % REDIS_SLOTS);
}

struct word { const char *text; size_t bytes; };

/* Reads "$3\r\nabc\r\n" at *at and goes behind it. */
static bool next_word(const char **at, const char *end, struct word *out)
{
    const char *line_end = memchr(*at, '\n', (size_t)(end - *at));

    if (line_end == NULL || **at != '$')
        return false;
    size_t bytes = strtoul(*at + 1, NULL, 10);
    if (bytes + 2 > (size_t)(end - line_end - 1))
        return false;
    *out = (struct word){ line_end + 1, bytes };
    *at = line_end + 1 + bytes + 2;
    return true;
}

static bool is(const struct word *word, const char *name)
{
    return word->bytes == strlen(name) && strncasecmp(word->text, name, word->bytes) == 0;
}

int redis_command_slot(const char *text, size_t bytes)
{
    const char *end = text + bytes, *at = memchr(text, '\n', bytes);
    struct word word;

    if (at == NULL || !next_word(&(const char *){ ++at }, end, &word))
        return REDIS_NO_SLOT;
    /* A script: its name, how many keys, the keys. */
    int skipped = is(&word, "EVALSHA") || is(&word, "EVAL") ? 3 : 1;
    for (int i = 0; i <= skipped; i++)
        if (!next_word(&at, end, &word) || (i == 2 && is(&word, "0")))
            return REDIS_NO_SLOT;
    return redis_key_slot(word.text, word.bytes);
}
