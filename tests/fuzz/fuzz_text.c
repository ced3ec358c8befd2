/* fuzz_text.c - the small parsers of foreign text: times, durations, schedules,
 * Retry-After, base64, signature headers, and the quoting of text for the log.
 *
 * Invariants stand beside each parser; the first byte of the input chooses one. */
#include "base/clock.h"
#include "base/log.h"
#include "core/schedule.h"
#include "io/crypto.h"
#include "webhook/signer.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define INVARIANT(holds) do { if (!(holds)) abort(); } while (0)

/* A time that was read, written, reads as itself. */
static void try_time(const char *text)
{
    int64_t ms, again;
    char    out[CLOCK_TEXT_BYTES];

    if (clock_parse(text, &ms) != MH_OK)
        return;
    clock_format(ms, out);
    if (ms >= -62167219200000 && ms < 253402300800000)       /* years 0 to 9999 */
        INVARIANT(clock_parse(out, &again) == MH_OK && again == ms);
}

/* Ten years at most. */
static void try_duration(const char *text)
{
    int64_t ms;

    if (clock_parse_duration(text, &ms) == MH_OK)
        INVARIANT(ms >= 0 && ms <= 315360000000);
}

/* Every delay stays within 10 % of what was written. */
static void try_schedule(const char *text)
{
    struct schedule s;

    if (schedule_parse(text, &s) != MH_OK)
        return;
    INVARIANT(s.count >= 1 && s.count <= SCHEDULE_MAX);
    for (unsigned i = 0; i < s.count; i++) {
        int64_t least = schedule_delay_ms(&s, i, 0), most = schedule_delay_ms(&s, i, UINT32_MAX);
        INVARIANT(10 * least >= 9 * s.delay_ms[i] && 10 * most <= 11 * s.delay_ms[i]);
    }
    INVARIANT(schedule_delay_ms(&s, s.count, 0) == -1);
}

/* -1, or within the cap. */
static void try_retry_after(const char *text)
{
    int64_t wait = schedule_retry_after_ms(text, 1769076000000, 3600000);

    INVARIANT(wait >= -1 && wait <= 3600000);
}

/* Whatever decodes encodes to the same text. */
static void try_base64(const char *text)
{
    size_t         chars = strlen(text), bytes;
    unsigned char *plain = malloc(chars + 1);
    char          *again = malloc(4 * (chars + 2) / 3 + 4);

    INVARIANT(plain != NULL && again != NULL);
    if (crypto_base64_decode(text, chars, plain, chars, &bytes) == MH_OK) {
        crypto_base64(plain, bytes, again);
        INVARIANT(strcmp(again, text) == 0);
    }
    free(plain);
    free(again);
}

/* Only the one signature passes; the text is tried as secret too. */
static void try_signature(const char *text)
{
    static const char   secret[] = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
    struct signed_bytes what = { "msg_1", 1614265330, "{}", 2 };
    struct signature    sig;

    INVARIANT(signer_sign(secret, &what, &sig) == MH_OK);
    if (signer_verify(secret, &what, text, what.sent_at_s) == MH_OK)
        INVARIANT(strstr(text, sig.text) != NULL);
    if (signer_sign(text, &what, &sig) == MH_OK)
        INVARIANT(strncmp(text, "whsec_", 6) == 0 && strlen(sig.text) == 3 + 44);
}

/* One line, quoted, within its room, without anything that a terminal obeys. */
static void try_quote(const char *text)
{
    char out[40];

    for (size_t size = 3; size <= sizeof out; size++) {
        size_t chars = strlen(log_quote(text, out, size));
        INVARIANT(chars >= 2 && chars < size && out[0] == '"' && out[chars - 1] == '"');
        for (size_t i = 0; i < chars; i++)
            INVARIANT((unsigned char)out[i] >= 0x20 && out[i] != 0x7f);
    }
}

static void (*const parsers[])(const char *) = {
    try_time, try_duration, try_schedule, try_retry_after, try_base64, try_signature, try_quote,
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    char *text = malloc(size);
    INVARIANT(text != NULL);
    memcpy(text, data + 1, size - 1);
    text[size - 1] = '\0';
    parsers[data[0] % (sizeof parsers / sizeof parsers[0])](text);
    free(text);
    return 0;
}
