/* utf8.c - see utf8.h. */
#include "base/utf8.h"

#include <stdbool.h>

static bool within(unsigned char c, unsigned char low, unsigned char high)
{
    return c >= low && c <= high;
}

/* The second byte's range excludes what is overlong, a surrogate or too large
 * (RFC 3629, section 4). */
static bool second_fits(unsigned char first, unsigned char second)
{
    switch (first) {
    case 0xe0: return within(second, 0xa0, 0xbf);
    case 0xed: return within(second, 0x80, 0x9f);
    case 0xf0: return within(second, 0x90, 0xbf);
    case 0xf4: return within(second, 0x80, 0x8f);
    default:   return within(second, 0x80, 0xbf);
    }
}

size_t utf8_length(const char *text, size_t count)
{
    const unsigned char *bytes = (const unsigned char *)text;

    if (count == 0)
        return 0;
    if (bytes[0] < 0x80)
        return 1;
    size_t length = within(bytes[0], 0xc2, 0xdf) ? 2 : within(bytes[0], 0xe0, 0xef) ? 3
                  : within(bytes[0], 0xf0, 0xf4) ? 4 : 0;
    if (length == 0 || count < length || !second_fits(bytes[0], bytes[1]))
        return 0;
    for (size_t i = 2; i < length; i++)
        if (!within(bytes[i], 0x80, 0xbf))
            return 0;
    return length;
}

size_t utf8_put(uint32_t code, char out[4])
{
    if (code > 0x10ffff || (code >= 0xd800 && code <= 0xdfff))
        code = 0xfffd;
    if (code < 0x80) {
        out[0] = (char)code;
        return 1;
    }
    size_t length = code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;
    for (size_t i = length - 1; i > 0; i--, code >>= 6)
        out[i] = (char)(0x80 | (code & 0x3f));
    out[0] = (char)((0xf00u >> length) | code);
    return length;
}

size_t utf8_cut(const char *bytes, size_t count)
{
    size_t back = 1;

    while (back <= 3 && back < count && ((unsigned char)bytes[count - back] & 0xc0) == 0x80)
        back++;
    if (count == 0 || utf8_length(bytes + count - back, back) == back)
        return count;
    return ((unsigned char)bytes[count - back] & 0xc0) == 0xc0 ? count - back : count;
}
