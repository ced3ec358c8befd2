/* main.c - the program `moonhook`: engine, client and receiver in one binary. */
#include "base/environment.h"
#include "cli/cli.h"

int main(int argc, char **argv)
{
    environment_forget();
    return cli_main(argc, argv);
}
