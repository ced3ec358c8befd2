/* curl_multi.c - what libcurl's multi interface costs by itself: the POSTs that moonhook makes,
 * and nothing else. No queue, no signing, no record.
 *
 * usage: curl_multi URL COUNT AT_ONCE BODY_FILE HEADER_LINE...
 * Prints how many were answered with 200, and the CPU time of it all. */
#include <curl/curl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

static struct curl_slist *headers;
static char               body[1 << 20];
static size_t             body_bytes;

static size_t ignore(char *bytes, size_t size, size_t count, void *arg)
{
    (void)bytes, (void)arg;
    return size * count;
}

static CURL *make_handle(const char *url)
{
    CURL *easy = curl_easy_init();

    curl_easy_setopt(easy, CURLOPT_URL, url);
    curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(easy, CURLOPT_POSTFIELDS, body);
    curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE, (long)body_bytes);
    curl_easy_setopt(easy, CURLOPT_HTTPHEADER, headers);
    curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, 15000L);
    curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, ignore);
    return easy;
}

static void read_body(const char *path)
{
    FILE *file = fopen(path, "rb");

    if (file == NULL)
        exit(2);
    body_bytes = fread(body, 1, sizeof body, file);
    fclose(file);
}

/* Takes what ended, and starts it again while there are more to begin. */
static long take_results(CURLM *multi, long *to_begin)
{
    CURLMsg *message;
    int      queued;
    long     good = 0, status = 0;

    while ((message = curl_multi_info_read(multi, &queued)) != NULL) {
        CURL *easy = message->easy_handle;
        curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &status);
        good += message->data.result == CURLE_OK && status == 200;
        curl_multi_remove_handle(multi, easy);
        if (*to_begin > 0) {
            --*to_begin;
            curl_multi_add_handle(multi, easy);
        }
    }
    return good;
}

static long long cpu_us(void)
{
    struct rusage used;

    getrusage(RUSAGE_SELF, &used);
    return (used.ru_utime.tv_sec + used.ru_stime.tv_sec) * 1000000LL + used.ru_utime.tv_usec +
           used.ru_stime.tv_usec;
}

int main(int argc, char **argv)
{
    if (argc < 5)
        return 2;
    long   count = atol(argv[2]), at_once = atol(argv[3]), good = 0;
    long   to_begin = count > at_once ? count - at_once : 0;
    CURLM *multi = curl_multi_init();
    int    running;

    read_body(argv[4]);
    headers = curl_slist_append(NULL, "Expect:");
    for (int i = 5; i < argc; i++)
        headers = curl_slist_append(headers, argv[i]);
    for (long i = 0; i < count - to_begin; i++)
        curl_multi_add_handle(multi, make_handle(argv[1]));
    do {
        curl_multi_poll(multi, NULL, 0, 1000, NULL);
        curl_multi_perform(multi, &running);
        long began = to_begin;
        good += take_results(multi, &to_begin);
        running += (int)(began - to_begin);
    } while (running > 0);
    printf("{\"good\":%ld,\"cpu_us\":%lld}\n", good, cpu_us());
    return good == count ? 0 : 1;
}
