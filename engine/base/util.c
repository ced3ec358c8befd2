/* util.c - small allocations that must succeed. */
#include "base/util.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void *must(void *memory)
{
    if (memory == NULL) {
        fputs("level=fatal event=out_of_memory\n", stderr);
        abort();
    }
    return memory;
}

void *mem_alloc(size_t bytes) { return must(calloc(1, bytes ? bytes : 1)); }

char *mem_strdup(const char *text) { return text ? must(strdup(text)) : NULL; }

char *mem_strndup(const char *text, size_t bytes) { return must(strndup(text, bytes)); }

char *mem_printf(const char *format, ...)
{
    char   *text = NULL;
    va_list args;

    va_start(args, format);
    int n = vasprintf(&text, format, args);
    va_end(args);
    return must(n < 0 ? NULL : text);
}
