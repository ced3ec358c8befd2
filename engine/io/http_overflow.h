/* http_overflow.h - what is said when this process has no file descriptor left. */
#pragma once

/* At most one line a second. */
void http_overflow_log(void);
