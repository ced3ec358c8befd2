/* curl_multi.c - what libcurl's multi interface costs by itself: the POSTs that moonhook makes,
 * and nothing else. No queue, no signing, no record, one connection for each that is under way.
 *
 * usage: curl_multi URL COUNT PARALLEL BODY_FILE < lines of headers
 * Prints the number of answers with status 200. */
#include <curl/curl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

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

static void read_headers(void)
{
    char line[4096];

    headers = curl_slist_append(NULL, "Expect:");
    while (fgets(line, sizeof line, stdin) != NULL) {
        line[strcspn(line, "\r\n")] = '\0';
        headers = curl_slist_append(headers, line);
    }
}

static void read_body(const char *path)
{
    FILE *file = fopen(path, "rb");

    if (file == NULL)
        exit(2);
    body_bytes = fread(body, 1, sizeof body, file);
    fclose(file);
}

/* Takes what ended and starts it again while there is more to do. */
static long take_results(CURLM *multi, long *left)
{
    CURLMsg *message;
    int      queued;
    long     good = 0, status;

    while ((message = curl_multi_info_read(multi, &queued)) != NULL) {
        CURL *easy = message->easy_handle;
        curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &status);
        good += message->data.result == CURLE_OK && status == 200;
        curl_multi_remove_handle(multi, easy);
        if (--*left >= 0)
            curl_multi_add_handle(multi, easy);
    }
    return good;
}

int main(int argc, char **argv)
{
    if (argc != 5)
        return 2;
    long   count = atol(argv[2]), parallel = atol(argv[3]), left = count - parallel, good = 0;
    CURLM *multi = curl_multi_init();
    int    running = 1;

    read_headers();
    read_body(argv[4]);
    for (long i = 0; i < parallel; i++)
        curl_multi_add_handle(multi, make_handle(argv[1]));
    while (running > 0) {
        curl_multi_perform(multi, &running);
        good += take_results(multi, &left);
        if (left > -parallel)
            running = 1;
        if (running > 0)
            curl_multi_poll(multi, NULL, 0, 1000, NULL);
    }
    printf("%ld\n", good);
    return good == count ? 0 : 1;
}
