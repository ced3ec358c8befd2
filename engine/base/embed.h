/* embed.h - files that the build put into the program (see mh_embed in
 * CMakeLists.txt). `end` points behind the last byte, at a NUL. */
#pragma once

struct embedded { const char *name, *text, *end; };

extern const struct embedded embedded_redis_scripts[];      /* engine/core/redis */
extern const struct embedded embedded_sdk[];                /* lua/moonhook, sandbox only */
