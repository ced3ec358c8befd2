/* util.h - the few macros that every file may use. */
#pragma once

#include <stddef.h>

#define ARRAY_LEN(a) (sizeof(a) / sizeof((a)[0]))
#define container_of(ptr, type, member) ((type *)(void *)((char *)(ptr) - offsetof(type, member)))
#define MH_KIB 1024u
#define MH_MIB (1024u * 1024u)

/* Memory that must be there: small, bounded allocations whose failure leaves
 * nothing sensible to do. Logs and aborts instead of returning NULL. Whatever
 * a foreign byte can size goes through malloc and a check instead. */
void *mem_alloc(size_t bytes);              /* zeroed */
char *mem_strdup(const char *text);         /* NULL stays NULL */
char *mem_strndup(const char *text, size_t bytes);
char *mem_printf(const char *format, ...) __attribute__((format(printf, 1, 2)));
