/* environment.c - see environment.h. What may be told about the network is told by settings.
 * libcurl is told the same by its options (io/http_client.c); two of these it has none for. */
#include "base/environment.h"

#include "base/util.h"

#include <stdlib.h>

static const char *const names[] = {
    /* libcurl: proxies; passwords; files of the curl program, in case it comes to read them */
    "http_proxy", "HTTP_PROXY", "https_proxy", "HTTPS_PROXY", "ftp_proxy", "FTP_PROXY", "all_proxy",
    "ALL_PROXY", "no_proxy", "NO_PROXY", "PRE_PROXY", "NETRC", "NTLMUSER", "CURL_HOME", "CURL_CA_BUNDLE",
    "CURL_SSL_BACKEND",
    /* libcurl writes the keys of every TLS connection to this file; no option forbids it */
    "SSLKEYLOGFILE",
    /* OpenSSL: whom it trusts, what code it loads */
    "SSL_CERT_FILE", "SSL_CERT_DIR", "OPENSSL_CONF", "OPENSSL_CONF_INCLUDE", "OPENSSL_MODULES",
    "OPENSSL_ENGINES", "CTLOG_FILE", "RANDFILE",
    /* glibc's resolver: what a name stands for, and whom it asks */
    "LOCALDOMAIN", "RES_OPTIONS", "HOSTALIASES", "RESOLV_HOST_CONF", "RESOLV_MULTI", "RESOLV_REORDER",
    "RESOLV_ADD_TRIM_DOMAINS", "RESOLV_OVERRIDE_TRIM_DOMAINS",
};

void environment_forget(void)
{
    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        unsetenv(names[i]);
}
