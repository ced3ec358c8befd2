/* test_environment.c - variables that libraries would obey are gone, others are not. */
#include "base/environment.h"
#include "base/util.h"

#include "unit.h"

#include <stdlib.h>

TEST(what_libraries_would_obey_is_forgotten)
{
    static const char *const names[] = {
        "http_proxy", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY", "SSLKEYLOGFILE", "SSL_CERT_FILE",
        "SSL_CERT_DIR", "OPENSSL_CONF", "OPENSSL_MODULES", "OPENSSL_ENGINES", "CURL_HOME",
        "CURL_CA_BUNDLE", "NETRC", "LOCALDOMAIN", "RES_OPTIONS", "HOSTALIASES",
    };

    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        setenv(names[i], "/nonexistent/file", 1);
    environment_forget();
    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        if (getenv(names[i]) != NULL)
            fail_msg("%s is still there", names[i]);
}

TEST(other_variables_stay)
{
    setenv("MOONHOOK_LISTEN", ":1", 1);
    environment_forget();
    assert_string_equal(getenv("MOONHOOK_LISTEN"), ":1");
    assert_non_null(getenv("PATH"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        RUN(what_libraries_would_obey_is_forgotten),
        RUN(other_variables_stay),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
