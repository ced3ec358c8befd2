/* key.c - `moonhook key ...`: API keys. */
#include "cli/client.h"
#include "cli/commands.h"
#include "cli/print.h"

#include <stdio.h>
#include <stdlib.h>

/* What Redis may take to write a large append-only file anew. */
enum { ROTATION_MS = 10 * 60 * 1000 };

static const struct column columns[] = {
    { "ID", "id" }, { "ORG", "org_id" }, { "SCOPES", "scopes" }, { "NAME", "name" },
    { "CREATED", "created_at" }, { "LAST USED", "last_used_at" }, { 0 },
};

static void show_created(const json_t *answer)
{
    static const struct column created[] = {
        { "id", "id" }, { "org", "org_id" }, { "scopes", "scopes" }, { "key", "key" }, { 0 } };

    print_fields(answer, created, 0);
    puts("Keep the key now: it is not shown again.");
}

static void show_list(const json_t *answer) { print_list(answer, columns, "no keys"); }

static void show_revoked(const json_t *answer)
{
    (void)answer;
    puts("revoked");
}

static void show_rotated(const json_t *answer)
{
    const char *detail = json_string_value(json_object_get(answer, "detail"));

    printf("rotated: %lld secrets are under the new master key\n",
           (long long)json_integer_value(json_object_get(answer, "secrets")));
    if (detail != NULL)
        puts(detail);
}

int cmd_key_create(const struct options *given)
{
    json_t     *body = json_object(), *scopes = json_array();
    const char *scope;

    for (size_t at = 0; (scope = options_next(given, "scope", &at)) != NULL;)
        json_array_append_new(scopes, json_string(scope));
    if (options_has(given, "org"))
        json_put(body, "org_id", json_string(options_text(given, "org", "")));
    if (options_has(given, "name"))
        json_put(body, "name", json_string(options_text(given, "name", "")));
    if (json_array_size(scopes) > 0)
        json_put(body, "scopes", json_incref(scopes));
    json_decref(scopes);
    return client_run(given, &(struct client_request){ .method = "POST", .path = "/api/keys",
                                                       .body = body }, show_created);
}

int cmd_key_list(const struct options *given)
{
    return client_run(given, &(struct client_request){ .method = "GET", .path = "/api/keys" },
                      show_list);
}

int cmd_key_revoke(const struct options *given)
{
    char *path = client_path("/api/keys/", given->word[0], "");
    int   code = client_run(given, &(struct client_request){ .method = "DELETE", .path = path },
                            show_revoked);

    free(path);
    return code;
}

int cmd_key_rotate_master(const struct options *given)
{
    return client_run(given, &(struct client_request){ .method = "POST",
                                                       .path = "/api/keys/rotate-master",
                                                       .wait_ms = ROTATION_MS },
                      show_rotated);
}
