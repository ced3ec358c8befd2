/* conceal.c - CPU time of taking the secrets out of an answer of the largest size, beside the former
 * way, which tried every spelling at every place; and the longest part, where an answer is gone through
 * in parts as the engine does. Both in turn, each figure the median of its rounds.
 *
 *   bench-conceal ROUNDS      one JSON array on standard output, times in ms */
#include "../tests/unit/conceal_slowly.h"

#include "core/broker.h"

#include <stdio.h>
#include <time.h>

enum { BYTES = BROKER_MAX_RESPONSE_BYTES, MOST_ROUNDS = 99 };

static double now_ms(void)
{
    struct timespec t;

    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

/* ---- Texts ------------------------------------------------------------------------------ */

static char *repeat(const char *what)
{
    char  *text = mem_alloc(BYTES + 1);
    size_t len = strlen(what);

    for (size_t i = 0; i < BYTES; i++)
        text[i] = what[i % len];
    return text;
}

/* A list of records with random fields: names, numbers, hex, base64, some escapes. */
static char *records(void)
{
    char             *text = mem_alloc(BYTES + 600);
    unsigned char     random[96];
    char              coded[129];

    for (size_t at = 0; at < BYTES;) {
        crypto_random(random, sizeof random);
        crypto_base64(random, sizeof random, coded);
        at += (size_t)snprintf(text + at, 600, "{\"id\":%u,\"hash\":\"%02x%02x%02x%02x\",\"name\":\"%.12s\","
                               "\"note\":\"deployed \\\"%.6s\\\" to %.8s at 12:%02u\",\"blob\":\"%s\"},\n",
                               random[0] * 7919u, random[1], random[2], random[3], random[4],
                               coded + random[5] % 60, coded + 70, coded + 80, random[6] % 60u, coded);
    }
    text[BYTES] = '\0';
    return text;
}

/* ---- Measuring ------------------------------------------------------------------------------ */

struct bench_case { const char *name, *text; unsigned secrets; };
struct figures { double whole[MOST_ROUNDS], former[MOST_ROUNDS], part[MOST_ROUNDS]; };

static void add_secrets(struct seals *s, unsigned count)
{
    unsigned char random[24];
    char          value[33];

    while (count-- > 0) {
        crypto_random(random, sizeof random);
        crypto_base64(random, sizeof random, value);
        if (seals_add(s, value) == NULL)
            abort();
    }
}

static double whole_ms(const struct seals *s, const char *text)
{
    struct buf out;
    double     since = now_ms();

    buf_init(&out, 2 * BYTES);
    struct concealing c = { .seals = s, .text = text, .bytes = BYTES };
    if (conceal_some(&c, SIZE_MAX, &out) != MH_OK)
        abort();
    buf_deinit(&out);
    return now_ms() - since;
}

static double longest_part_ms(const struct seals *s, const char *text)
{
    struct buf        out;
    struct concealing c = { .seals = s, .text = text, .bytes = BYTES };
    double            longest = 0;

    buf_init(&out, 2 * BYTES);
    while (!c.done) {
        double since = now_ms();
        if (conceal_some(&c, BROKER_CONCEAL_WORK, &out) != MH_OK)
            abort();
        double took = now_ms() - since;
        longest = took > longest ? took : longest;
    }
    buf_deinit(&out);
    return longest;
}

static double former_ms(const struct seals *s, const struct slow_spellings *slow, const char *text)
{
    struct buf out;
    double     since = now_ms();

    buf_init(&out, 2 * BYTES);
    if (conceal_slowly(s, slow, text, BYTES, &out) != MH_OK)
        abort();
    buf_deinit(&out);
    return now_ms() - since;
}

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double median(double *values, unsigned count)
{
    qsort(values, count, sizeof *values, compare);
    return values[count / 2];
}

static void run(const struct bench_case *b, unsigned rounds, const char *before)
{
    struct seals   s = { .count = 0 };
    struct figures f;

    add_secrets(&s, b->secrets);
    struct slow_spellings *slow = slow_spellings(&s);
    for (unsigned i = 0; i < rounds; i++) {
        f.whole[i] = whole_ms(&s, b->text);
        f.former[i] = former_ms(&s, slow, b->text);
        f.part[i] = longest_part_ms(&s, b->text);
    }
    printf("%s{\"text\":\"%s\",\"secrets\":%u,\"ms\":%.3f,\"former_ms\":%.3f,\"part_ms\":%.3f}", before,
           b->name, b->secrets, median(f.whole, rounds), median(f.former, rounds), median(f.part, rounds));
    slow_free(slow);
    seals_deinit(&s);
}

int main(int argc, char **argv)
{
    int               rounds = argc > 1 ? atoi(argv[1]) : 5;
    char             *json = records(), *escapes = repeat("%41\\u0042&#67;");
    struct bench_case cases[] = {
        { "JSON", json, 1 }, { "JSON", json, 8 }, { "JSON", json, 64 },
        { "escapes", escapes, 1 }, { "escapes", escapes, 64 },
    };

    if (rounds < 1 || rounds > MOST_ROUNDS)
        return 2;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++)
        run(&cases[i], (unsigned)rounds, i ? ",\n " : "[");
    puts("]");
    free(json);
    free(escapes);
    return 0;
}
