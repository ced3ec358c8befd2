/* test_base.c - the small parts of base/: errors, lists, states, allocations. */
#include "base/err.h"
#include "base/list.h"
#include "base/state.h"
#include "base/util.h"

#include "unit.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/* ---- err ---------------------------------------------------------------------- */

TEST(every_error_has_a_status_a_code_and_a_sentence)
{
    for (unsigned i = 0; i < MH_ERR_COUNT; i++) {
        enum mh_err err = (enum mh_err)i;
        assert_in_range(err_http_status(err), 200, 599);
        assert_true(strlen(err_code(err)) > 0);
        assert_true(strlen(err_text(err)) > 0);
    }
}

TEST(every_code_leads_back_to_its_own_error)
{
    for (unsigned i = 0; i < MH_ERR_COUNT; i++)
        assert_int_equal(err_from_code(err_code((enum mh_err)i)), i);
}

TEST(an_unknown_error_reads_as_an_internal_one)
{
    assert_int_equal(err_from_code("no_such_code"), MH_INTERNAL);
    assert_int_equal(err_from_code(""), MH_INTERNAL);
    assert_string_equal(err_code((enum mh_err)MH_ERR_COUNT), "internal");
    assert_int_equal(err_http_status((enum mh_err)-1), 500);
}

/* ---- list --------------------------------------------------------------------- */

struct item { int number; struct list link; };

static int number_of(struct list *node) { return container_of(node, struct item, link)->number; }

TEST(a_list_gives_its_nodes_first_in_first_out)
{
    struct list head;
    struct item a = { 1, { 0 } }, b = { 2, { 0 } };
    list_init(&head);
    assert_true(list_empty(&head));
    list_push_back(&head, &a.link);
    list_push_back(&head, &b.link);
    assert_int_equal(number_of(list_pop_front(&head)), 1);
    assert_int_equal(number_of(list_pop_front(&head)), 2);
    assert_null(list_pop_front(&head));
}

TEST(a_node_can_be_unlinked_twice)
{
    struct list head;
    struct item a = { 1, { 0 } }, b = { 2, { 0 } };
    list_init(&head);
    list_push_back(&head, &a.link);
    list_push_back(&head, &b.link);
    list_unlink(&a.link);
    list_unlink(&a.link);
    assert_int_equal(number_of(head.next), 2);
    assert_ptr_equal(head.next, head.prev);
}

TEST(a_node_may_be_freed_while_the_list_is_walked)
{
    struct list head;
    int         sum = 0;
    list_init(&head);
    for (int i = 1; i <= 3; i++) {
        struct item *item = mem_alloc(sizeof *item);
        item->number = i;
        list_push_back(&head, &item->link);
    }
    list_for_each(node, after, &head) {
        sum = sum * 10 + number_of(node);
        list_unlink(node);
        free(container_of(node, struct item, link));
    }
    assert_int_equal(sum, 123);
    assert_true(list_empty(&head));
}

/* ---- state -------------------------------------------------------------------- */

enum { STARTING, READY, STOPPED };

static const struct state states[] = {
    [STARTING] = { "starting", STATE(READY) | STATE(STOPPED) },
    [READY]    = { "ready",    STATE(STOPPED) },
    [STOPPED]  = { "stopped",  0 },
};

TEST(an_allowed_transition_moves_the_state)
{
    unsigned now = STARTING;
    state_move(states, &now, READY, "plugin", "slack");
    assert_int_equal(now, READY);
    state_move(states, &now, STOPPED, "plugin", "slack");
    assert_int_equal(now, STOPPED);
}

TEST(a_transition_that_the_table_does_not_have_aborts)
{
    pid_t pid = fork();
    if (pid == 0) {
        unsigned now = STOPPED;
        close(STDERR_FILENO);
        signal(SIGABRT, SIG_DFL);
        state_move(states, &now, READY, "plugin", "slack");
        _exit(0);
    }
    int status;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFSIGNALED(status));
    assert_int_equal(WTERMSIG(status), SIGABRT);
}

/* ---- util --------------------------------------------------------------------- */

TEST(fresh_memory_is_zeroed_and_never_null)
{
    static const char zeroes[100];
    char *some = mem_alloc(100), *none = mem_alloc(0);
    assert_memory_equal(some, zeroes, 100);
    assert_non_null(none);
    free(some);
    free(none);
}

TEST(copies_of_text_are_whole_or_cut_where_asked)
{
    char *whole = mem_strdup("moonhook"), *cut = mem_strndup("moonhook", 4);
    assert_string_equal(whole, "moonhook");
    assert_string_equal(cut, "moon");
    assert_null(mem_strdup(NULL));
    free(whole);
    free(cut);
}

TEST(formatted_text_is_as_long_as_it_needs)
{
    char *text = mem_printf("%s-%0300d", "n", 1);
    assert_int_equal(strlen(text), 302);
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        RUN(every_error_has_a_status_a_code_and_a_sentence),
        RUN(every_code_leads_back_to_its_own_error),
        RUN(an_unknown_error_reads_as_an_internal_one),
        RUN(a_list_gives_its_nodes_first_in_first_out),
        RUN(a_node_can_be_unlinked_twice),
        RUN(a_node_may_be_freed_while_the_list_is_walked),
        RUN(an_allowed_transition_moves_the_state),
        RUN(a_transition_that_the_table_does_not_have_aborts),
        RUN(fresh_memory_is_zeroed_and_never_null),
        RUN(copies_of_text_are_whole_or_cut_where_asked),
        RUN(formatted_text_is_as_long_as_it_needs),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
