/* utf8.h - well-formed UTF-8 (RFC 3629), whatever bytes come in. */
#pragma once

#include <stddef.h>
#include <stdint.h>

/* Bytes of the character that `bytes` begins with, 1 to 4; 0 where there is none:
 * overlong, a surrogate, past U+10FFFF, cut off. */
size_t utf8_length(const char *bytes, size_t count);

/* Writes a code point; bytes written, 1 to 4. Surrogates and what is past U+10FFFF
 * become U+FFFD. */
size_t utf8_put(uint32_t code, char out[4]);

/* `count`, or less, so that a cut there splits no character of `bytes`. */
size_t utf8_cut(const char *bytes, size_t count);
