/* cli.c - see cli.h. Reads the table in commands.c. */
#include "cli/cli.h"

#include "base/nearest.h"
#include "base/util.h"
#include "cli/commands.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { HELP_COLUMN = 24, OPTION_COLUMN = 22, NAME_BYTES = 64 };

static void say(const char *format, va_list args)
{
    fputs("moonhook: ", stderr);
    vfprintf(stderr, format, args);
    fputc('\n', stderr);
}

int cli_failed(const char *format, ...)
{
    va_list args;

    va_start(args, format);
    say(format, args);
    va_end(args);
    return CLI_FAILED;
}

int cli_usage(const char *format, ...)
{
    va_list args;

    va_start(args, format);
    say(format, args);
    va_end(args);
    return CLI_USAGE;
}

/* ---- Help ------------------------------------------------------------------------ */

/* Lines of the commands whose first word is `group`; of all where it is NULL. */
static unsigned print_commands(FILE *out, const char *group)
{
    size_t   letters = group ? strlen(group) : 0;
    unsigned printed = 0;

    for (const struct command *c = commands; c->name; c++)
        if (group == NULL || (strncmp(c->name, group, letters) == 0 && c->name[letters] == ' ')) {
            fprintf(out, "  %-*s%s\n", HELP_COLUMN, c->name, c->help);
            printed++;
        }
    return printed;
}

static void print_help(FILE *out)
{
    fputs("moonhook - turns events into webhooks and into Lua-scripted integrations\n\n"
          "usage: moonhook COMMAND [ARGUMENT]...\n\n", out);
    print_commands(out, NULL);
    fputs("\n"
          "  moonhook COMMAND --help   tells a command's options\n"
          "  moonhook --version        tells the version\n\n"
          "Exit codes: 0 done, 1 failed, 2 the command line is not understood.\n", out);
}

static bool has_option(const struct option_spec *options, const char *name)
{
    for (const struct option_spec *s = options; s && s->name; s++)
        if (strcmp(s->name, name) == 0)
            return true;
    return false;
}

/* Those of `options` that `hiding`, which comes before them, does not have. */
static void print_options(const char *title, const struct option_spec *options,
                          const struct option_spec *hiding)
{
    char name[NAME_BYTES];

    if (options == NULL)
        return;
    printf("\n%s\n", title);
    for (const struct option_spec *s = options; s->name; s++) {
        if (has_option(hiding, s->name))
            continue;
        const char *format = s->kind == OPTION_FLAG    ? "--%s"
                             : s->kind == OPTION_MAYBE ? "--%s[=%s]"
                                                       : "--%s %s";
        snprintf(name, sizeof name, format, s->name, s->value);
        printf("  %-*s%s\n", OPTION_COLUMN, name, s->help);
    }
}

static int print_command_help(const struct command *c)
{
    printf("moonhook %s - %s\n\nusage: moonhook %s %s\n", c->name, c->help, c->name, c->arguments);
    print_options("Options", c->options, NULL);
    print_options("Where the engine is", c->common, c->options);
    if (c->more_help) {
        char *more = c->more_help();
        printf("\n%s", more ? more : "");
        free(more);
    }
    return CLI_OK;
}

/* ---- Dispatch ---------------------------------------------------------------------- */

/* The command that argv starts with; *used is how many words its name has. */
static const struct command *find_command(int argc, char **argv, int *used)
{
    char name[NAME_BYTES];

    for (int words = argc < 2 ? argc : 2; words > 0; words--) {
        snprintf(name, sizeof name, "%s%s%s", argv[0], words > 1 ? " " : "",
                 words > 1 ? argv[1] : "");
        for (const struct command *c = commands; c->name; c++)
            if (strcmp(c->name, name) == 0) {
                *used = words;
                return c;
            }
    }
    return NULL;
}

static int unknown_command(int argc, char **argv)
{
    char           name[NAME_BYTES];
    bool           two = argc > 1 && argv[1][0] != '-';
    struct nearest near = { .word = name };

    snprintf(name, sizeof name, "%.30s%s%.30s", argv[0], two ? " " : "", two ? argv[1] : "");
    for (const struct command *c = commands; c->name; c++)
        nearest_offer(&near, c->name);
    if (near.best)
        return cli_usage("there is no command \"%s\"; did you mean \"%s\"?", name, near.best);
    return cli_usage("there is no command \"%s\"; moonhook --help lists them", name);
}

static bool asks_help(int argc, char **argv)
{
    for (int i = 0; i < argc && strcmp(argv[i], "--") != 0; i++)
        if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0)
            return true;
    return false;
}

/* "moonhook webhook" alone, or with --help: the commands of that word. */
static int run_group(int argc, char **argv)
{
    bool  asked = asks_help(argc, argv);
    FILE *out = asked ? stdout : stderr;

    if (argc > 1 && !asked)
        return unknown_command(argc, argv);
    if (print_commands(out, argv[0]) == 0)
        return unknown_command(argc, argv);
    return asked ? CLI_OK : CLI_USAGE;
}

static int run_parsed(const struct command *c, const struct options *given)
{
    if (given->words < c->min_words)
        return cli_usage("usage: moonhook %s %s", c->name, c->arguments);
    if (given->words > c->max_words)
        return cli_usage("\"%.60s\" is one argument too many; usage: moonhook %s %s",
                         given->word[c->max_words], c->name, c->arguments);
    return c->run(given);
}

static int run_command(const struct command *c, int argc, char **argv)
{
    char           why[256];
    struct options given;

    if (asks_help(argc, argv))
        return print_command_help(c);
    if (c->run_raw)
        return c->run_raw(argc, argv);
    if (options_parse(argc, argv, c->options, c->common, &given, why, sizeof why) != MH_OK)
        return cli_usage("%s", why);
    int code = run_parsed(c, &given);
    options_free(&given);
    return code;
}

/* A full disk or a closed pipe must not look like success. */
static int flushed(int code)
{
    if (fflush(stdout) == 0 && !ferror(stdout))
        return code;
    return code == CLI_OK ? cli_failed("standard output cannot be written") : code;
}

static int dispatch(int argc, char **argv)
{
    int used;

    if (argc == 0) {
        print_help(stderr);
        return CLI_USAGE;
    }
    if (strcmp(argv[0], "--version") == 0) {
        puts("moonhook " MH_VERSION);
        return CLI_OK;
    }
    if (strcmp(argv[0], "--help") == 0 || strcmp(argv[0], "-h") == 0
        || strcmp(argv[0], "help") == 0) {
        print_help(stdout);
        return CLI_OK;
    }
    const struct command *c = find_command(argc, argv, &used);
    return c ? run_command(c, argc - used, argv + used) : run_group(argc, argv);
}

int cli_main(int argc, char **argv)
{
    return flushed(dispatch(argc > 0 ? argc - 1 : 0, argv + 1));
}
