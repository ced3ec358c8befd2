/* fuzz_conceal.c - taking secrets out of a service's answer (core/conceal.c, in parts as well).
 *
 * Input: a byte that says how much is done at a time; up to four secrets, each with 0xff behind it;
 * the text. Invariants: it is what trying every spelling at every place gives, whatever a part's end
 * falls into; nothing behind the text is read. */
#include "../unit/conceal_slowly.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define INVARIANT(holds) do { if (!(holds)) abort(); } while (0)

enum { MOST_SECRETS = 4, MOST_BYTES = 4096 };

static void try_parts(const struct seals *s, const char *text, size_t bytes, size_t work,
                      const struct buf *wanted)
{
    struct concealing c = { .seals = s, .text = text, .bytes = bytes };
    struct buf        out;

    buf_init(&out, MH_MIB);
    while (!c.done)
        INVARIANT(conceal_some(&c, work, &out) == MH_OK);
    if (c.copied == 0)
        INVARIANT(out.len == 0 && buf_append(&out, text, bytes) == MH_OK);
    INVARIANT(out.len == wanted->len);
    INVARIANT(out.len == 0 || memcmp(out.data, wanted->data, out.len) == 0);
    buf_deinit(&out);
}

static void try_text(const struct seals *s, const char *text, size_t bytes, size_t work)
{
    struct slow_spellings *slow = slow_spellings(s);
    struct buf             wanted;

    buf_init(&wanted, MH_MIB);
    INVARIANT(conceal_slowly(s, slow, text, bytes, &wanted) == MH_OK);
    try_parts(s, text, bytes, SIZE_MAX, &wanted);
    try_parts(s, text, bytes, work, &wanted);
    buf_deinit(&wanted);
    slow_free(slow);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct seals   s = { .count = 0 };
    const uint8_t *at = data + 1, *end = data + size, *behind;

    if (size < 2 || size > MOST_BYTES)
        return 0;
    while (s.count < MOST_SECRETS && (behind = memchr(at, 0xff, (size_t)(end - at))) != NULL) {
        char *secret = mem_strndup((const char *)at, (size_t)(behind - at));
        INVARIANT(seals_add(&s, secret) != NULL);
        free(secret);
        at = behind + 1;
    }
    size_t bytes = (size_t)(end - at);
    char  *text = malloc(bytes > 0 ? bytes : 1);       /* its own, so that a read past it is seen */
    INVARIANT(text != NULL);
    memcpy(text, at, bytes);
    try_text(&s, text, bytes, 1 + data[0] % 64u);
    free(text);
    seals_deinit(&s);
    return 0;
}
