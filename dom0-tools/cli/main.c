/* SPDX-License-Identifier: MIT */
/*
 * mullion: the command line. One table of commands; help, usage and completion are read from it.
 * Exit status: 0 done, 1 failed (the reason is on stderr), 2 the command line itself is wrong.
 */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "command.h"
#include "version.h"

static const struct command commands[] = {
    {"apply", "FILE|-", "Make the host have the domain that a JSON document describes, running",
     "Creates and starts the domain, or starts it when it is stopped. When it runs, it\n"
     "follows changes of vcpus and cpu at once; others take effect at its next start.\n"
     "A failure leaves nothing behind.\n"
     "docs/schema/domain.v1.json describes the document; docs/examples/ has some.",
     1, 1, false, false, false, run_apply},
    {"plan", "FILE|-", "Say what apply would do, and check everything it needs; change nothing",
     "Checks the document, kernel, images, bridges and free memory.", 1, 1, false, false, false,
     run_plan},
    {"list", "", "Show the domains of this host", "Those of other toolstacks included.", 0, 0,
     false, false, false, run_list},
    {"get", "NAME", "Show a domain: its state, devices and document", "", 1, 1, false, false, false,
     run_get},
    {"console", "NAME", "Attach to a domain's console; Ctrl-] leaves",
     "With --log: print what the guest has written so far, also after it stopped.", 1, 1, true,
     false, false, run_console},
    {"start", "NAME", "Start a stopped domain", "", 1, 1, false, false, false, run_start},
    {"shutdown", "NAME", "Ask the guest to shut down",
     "The guest decides. With --wait: return when it has stopped.", 1, 1, false, true, false,
     run_shutdown},
    {"reboot", "NAME", "Ask the guest to reboot", "", 1, 1, false, false, false, run_reboot},
    {"pause", "NAME", "Stop a domain's vCPUs", "", 1, 1, false, false, false, run_pause},
    {"unpause", "NAME", "Let a paused domain go on", "", 1, 1, false, false, false, run_unpause},
    {"destroy", "NAME", "Stop a domain at once, as if its power were cut",
     "Its definition stays; mullion delete removes that.", 1, 1, false, false, false, run_destroy},
    {"delete", "NAME", "Remove the definition of a stopped domain", "Its images are not touched.",
     1, 1, false, false, false, run_delete},
    {"events", "", "Show what happens to domains and backends, as it happens", "", 0, 0, false,
     false, false, run_events},
    {"dmesg", "", "Show the hypervisor's log", "", 0, 0, false, false, false, run_dmesg},
    {"unpack-kernel", "IN OUT", "Unpack a bzImage to the ELF that the hypervisor starts",
     "For dom0's kernel; kernels of guests are unpacked by themselves. Works without Xen.", 2, 2,
     false, false, true, run_unpack_kernel},
    {0},
};

static const struct command *find_command(const char *name)
{
    for (const struct command *c = commands; c->name; c++)
        if (strcmp(c->name, name) == 0)
            return c;
    return NULL;
}

static void print_summary(FILE *to)
{
    fprintf(to, "usage: mullion [-o json|table] COMMAND …\n\n");
    for (const struct command *c = commands; c->name; c++) {
        char head[48];

        snprintf(head, sizeof(head), "%s %s", c->name, c->arguments);
        fprintf(to, "  %-22s %s\n", head, c->summary);
    }
    fprintf(to, "  %-22s %s\n  %-22s %s\n", "version", "Show the version", "help [COMMAND]",
            "Show this, or more about one command");
}

static int print_help(const char *name)
{
    const struct command *c = name ? find_command(name) : NULL;

    if (!name) {
        print_summary(stdout);
        return 0;
    }
    if (!c) {
        fprintf(stderr, "mullion: there is no command \"%s\"\n", name);
        return 2;
    }
    printf("usage: mullion %s%s%s %s\n\n%s.\n", c->name, c->takes_log ? " [--log]" : "",
           c->takes_wait ? " [--wait]" : "", c->arguments, c->summary);
    if (c->help[0])
        printf("\n%s\n", c->help);
    return 0;
}

static int usage_error(const char *what, const char *about)
{
    fprintf(stderr, "mullion: %s%s%s\nmullion help lists the commands\n", what, about ? " " : "",
            about ? about : "");
    return 2;
}

/* For the shell's completion: one command name a line. */
static int print_names(void)
{
    for (const struct command *c = commands; c->name; c++)
        puts(c->name);
    puts("version");
    puts("help");
    return 0;
}

static int run(const struct command *command, const struct options *o)
{
    struct failure failure = {0};
    struct client client = {.fd = -1};
    char text[1200];
    int result = command->local ? 0 : client_open(&client, &failure);

    if (result == 0)
        result = command->run(&client, o, &failure);
    client_close(&client);
    if (fflush(stdout) != 0 && result == 0)
        result = fail(&failure, FAIL_IO, "print", "", "cannot write the output");
    if (result == 0)
        return 0;
    if (o->json) { /* programs read the failure from stdout too, in the same form as over the API */
        struct json_writer *w = jw_new(true);

        jw_object(w, NULL);
        jw_failure(w, "error", &failure);
        jw_end_object(w);
        fputs(jw_text(w, NULL) ? jw_text(w, NULL) : "", stdout);
        jw_free(w);
    }
    fprintf(stderr, "mullion: %s\n", failure_render(&failure, text, sizeof(text)));
    return 1;
}

static bool take_output(struct options *o, const char *format)
{
    o->json = format && strcmp(format, "json") == 0;
    return o->json || (format && strcmp(format, "table") == 0);
}

int main(int argc, char **argv)
{
    const struct command *command = NULL;
    struct options o = {0};

    for (int i = 1; i < argc; i++) {
        const char *a = argv[i];

        if (strcmp(a, "-o") == 0 || strcmp(a, "--output") == 0) {
            if (!take_output(&o, argv[++i]))
                return usage_error("-o takes json or table", NULL);
        } else if (strcmp(a, "--log") == 0 && command && command->takes_log) {
            o.log = true;
        } else if (strcmp(a, "--wait") == 0 && command && command->takes_wait) {
            o.wait = true;
        } else if (strcmp(a, "-h") == 0 || strcmp(a, "--help") == 0) {
            return print_help(command ? command->name : NULL);
        } else if (a[0] == '-' && a[1]) {
            return usage_error("this option is not known here:", a);
        } else if (!command) {
            if (strcmp(a, "help") == 0)
                return print_help(argv[i + 1]);
            if (strcmp(a, "version") == 0)
                return printf("mullion %s\n", MULLION_VERSION) < 0;
            if (strcmp(a, "completion-commands") == 0)
                return print_names();
            command = find_command(a);
            if (!command)
                return usage_error("there is no command", a);
        } else if (o.arguments < command->max_arguments) {
            o.argument[o.arguments++] = a;
        } else {
            return usage_error("too many arguments for", command->name);
        }
    }
    if (!command) {
        print_summary(stderr);
        return 2;
    }
    if (o.arguments < command->min_arguments)
        return usage_error("arguments are missing for", command->name);
    return run(command, &o);
}
