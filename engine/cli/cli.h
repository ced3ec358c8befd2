/* cli.h - the command line: finds the command, reads its options, runs it. */
#pragma once

#include "base/err.h"

/* Exit codes. Scripts may rely on them; `moonhook --help` tells them. */
enum cli_exit { CLI_OK = 0, CLI_FAILED = 1, CLI_USAGE = 2 };

/* argv with the program's name. Returns the exit code. */
int cli_main(int argc, char **argv);

/* "moonhook: ..." as one line on standard error; they return CLI_FAILED and
 * CLI_USAGE, so that a check reads
 *     return cli_failed("%s cannot be read", path); */
int cli_failed(const char *format, ...) MH_PRINTF(1, 2);
int cli_usage(const char *format, ...) MH_PRINTF(1, 2);
