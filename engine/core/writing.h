/* writing.h - the ways in which a text writes a character: as it is, in percent, in JSON (and what
 * other languages have in quotes), in HTML. Pure. Of conceal.c and spelling.c.
 *
 * In each writing but the plain one a character is either an escape, which begins with that
 * writing's own lead, or stands for itself; '+' in percent, which can be a space, is the exception. */
#pragma once

#include <stddef.h>

enum { WRITING_PLAIN, WRITING_PERCENT, WRITING_JSON, WRITING_HTML, WRITINGS };

struct character { unsigned char bytes[4]; size_t count; };        /* count: 1 to 4, of UTF-8 */

/* Reads one character of a text of `bytes` > 0; gives how many of them it takes, at least as many
 * as it has. `want` is what is looked for there, for what can be read in two ways. */
typedef size_t writing_reader(const unsigned char *text, size_t bytes, unsigned char want,
                              struct character *out);

struct writing { unsigned char lead; writing_reader *read; };      /* lead: of escapes; 0: has none */
extern const struct writing writings[WRITINGS];

writing_reader writing_percent;

/* Fills *out; gives `taken`. */
size_t character_in_utf8(struct character *out, unsigned long code, size_t taken);
