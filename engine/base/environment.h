/* environment.h - keeps libraries from taking orders from the environment. */
#pragma once

/* Unsets what libcurl, OpenSSL and the resolver read there and that would change where a
 * request goes, what is trusted, or what is written down. For the beginning of main(): before
 * any thread, and before the first call of a library. */
void environment_forget(void);
