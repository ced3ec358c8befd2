/* test_redis_server.c - the engine's own redis-server: started, lost, left over, adopted. */
#include "unit.h"
#include "with_redis.h"

#include "io/redis.h"
#include "io/redis_server.h"

#include <fcntl.h>
#include <sys/stat.h>

static uv_loop_t            loop;
static char                 data_dir[512];
static struct redis_server *server;
static struct redis        *client;
static unsigned             ups, downs, stops;

/* ---- What every test needs -------------------------------------------------------- */

static void on_state(void *arg, bool up, const char *why)
{
    (void)arg, (void)why;
    *(up ? &ups : &downs) += 1;
}

static void on_stopped(void *arg)
{
    (void)arg;
    stops++;
}

static struct redis_server_spec spec_of(const char *program)
{
    return (struct redis_server_spec){ .data_dir = data_dir, .program = program,
                                       .fsync = "always" };
}

static enum mh_err start(void)
{
    struct redis_server_spec spec = spec_of("redis-server");
    return redis_server_start(&loop, &spec, &server);
}

static void open_client(void)
{
    struct redis_spec spec = { .url = redis_server_url(server), .state = on_state };

    ups = downs = 0;
    assert_int_equal(redis_open(&loop, &spec, &client), MH_OK);
    RUN_UNTIL(&loop, ups == 1);
}

static void begin_in_new_dir(void)
{
    uv_loop_init(&loop);
    snprintf(data_dir, sizeof data_dir, "/tmp/mh-data-XXXXXX");
    assert_non_null(mkdtemp(data_dir));
}

static void begin(void)
{
    begin_in_new_dir();
    assert_int_equal(start(), MH_OK);
    open_client();
}

static void stop_server(void)
{
    stops = 0;
    redis_server_stop(server, on_stopped, NULL);
    RUN_UNTIL(&loop, stops == 1);
}

static void end(void)
{
    redis_close(client);
    stop_server();
    loop_end(&loop);
    remove_tree(data_dir);
}

struct answer { unsigned count; enum mh_err err; char text[64]; };

static void on_done(void *arg, enum mh_err err, const redisReply *reply)
{
    struct answer *a = arg;

    a->count++;
    a->err = err;
    if (reply != NULL && reply->type == REDIS_REPLY_ARRAY && reply->elements == 2)
        reply = reply->element[1];          /* CONFIG GET: name and value */
    if (reply != NULL && reply->str != NULL)
        snprintf(a->text, sizeof a->text, "%s", reply->str);
}

#define ASK(to, ...)                                                                               \
    do {                                                                                           \
        *(to) = (struct answer){ 0 };                                                              \
        redis_sendf(client, on_done, (to), __VA_ARGS__);                                           \
        RUN_UNTIL(&loop, (to)->count > 0);                                                         \
    } while (0)

/* A zombie is not: who reaps what is left over, and when, is not ours to say. */
static bool is_alive(int pid)
{
    char path[64], text[256] = "";
    snprintf(path, sizeof path, "/proc/%d/stat", pid);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || read(fd, text, sizeof text - 1) < 0)
        text[0] = '\0';
    close(fd);
    const char *name_end = strrchr(text, ')');
    return name_end != NULL && name_end[2] != 'Z';
}

/* ---- An engine that crashes ---------------------------------------------------------- */

/* Another process starts the server, puts k=v into it and is killed. Returns the
 * pid of the redis-server that it leaves behind. */
static int leave_over(void)
{
    int   pipe_fd[2], pid = 0;
    pid_t engine;

    assert_int_equal(pipe(pipe_fd), 0);
    engine = fork();
    if (engine == 0) {
        struct answer a;
        uv_loop_init(&loop);
        if (start() != MH_OK)
            _exit(1);
        open_client();
        ASK(&a, "SET k v");
        pid = redis_server_pid(server);
        if (write(pipe_fd[1], &pid, sizeof pid) != sizeof pid)
            _exit(1);
        uv_run(&loop, UV_RUN_DEFAULT);
        _exit(1);
    }
    close(pipe_fd[1]);
    assert_int_equal(read(pipe_fd[0], &pid, sizeof pid), sizeof pid);
    close(pipe_fd[0]);
    kill(engine, SIGKILL);
    waitpid(engine, NULL, 0);
    assert_true(is_alive(pid));
    return pid;
}

static void assert_data_is_there(void)
{
    struct answer a;
    ASK(&a, "GET k");
    assert_int_equal(a.err, MH_OK);
    assert_string_equal(a.text, "v");
}

/* ---- Starting and stopping --------------------------------------------------------------- */

TEST(it_starts_answers_and_stops)
{
    begin();
    int pid = redis_server_pid(server);
    assert_true(is_alive(pid));
    end();
    assert_false(is_alive(pid));
}

TEST(folder_and_socket_are_for_their_owner_only)
{
    char        path[600];
    struct stat s;
    begin();
    snprintf(path, sizeof path, "%s/redis", data_dir);
    assert_int_equal(stat(path, &s), 0);
    assert_int_equal(s.st_mode & 0777, 0700);
    snprintf(path, sizeof path, "%s/redis/redis.sock", data_dir);
    assert_int_equal(stat(path, &s), 0);
    assert_int_equal(s.st_mode & 0777, 0700);
    end();
}

TEST(it_is_configured_to_lose_nothing)
{
    static const struct { const char *name, *value; } want[] = {
        { "appendonly", "yes" }, { "appendfsync", "always" }, { "maxmemory-policy", "noeviction" },
        { "port", "0" }, { "save", "" }, { "aof-load-truncated", "yes" },
    };
    struct answer a;
    begin();
    for (size_t i = 0; i < ARRAY_LEN(want); i++) {
        ASK(&a, "CONFIG GET %s", want[i].name);
        assert_string_equal(a.text, want[i].value);
    }
    end();
}

TEST(the_server_inherits_nothing_and_is_not_hit_by_the_terminal)
{
    char path[64], to[256];
    begin();
    int pid = redis_server_pid(server);
    for (int fd = 0; fd < 64; fd++) {
        snprintf(path, sizeof path, "/proc/%d/fd/%d", pid, fd);
        ssize_t n = readlink(path, to, sizeof to - 1);
        to[n > 0 ? n : 0] = '\0';
        assert_null(strstr(to, "/lock"));
    }
    assert_int_equal(getpgid(pid), pid);
    end();
}

TEST(a_data_directory_may_lie_deeper_than_a_socket_path_can_tell)
{
    begin_in_new_dir();
    for (int i = 0; i < 4; i++) {
        snprintf(data_dir + strlen(data_dir), sizeof data_dir - strlen(data_dir), "/%050d", i);
        assert_int_equal(mkdir(data_dir, 0700), 0);
    }
    assert_int_equal(start(), MH_OK);
    open_client();
    const char *path = redis_server_url(server) + strlen("unix:");
    assert_true(strlen(path) < 108);
    char *shortcut = mem_strndup(path, strlen(path) - strlen("/data/redis.sock"));
    end();
    assert_int_equal(access(shortcut, F_OK), -1);
    free(shortcut);
    data_dir[strlen("/tmp/mh-data-XXXXXX")] = '\0';
    remove_tree(data_dir);
}

TEST(a_stopped_server_can_be_ended)
{
    begin();
    kill(redis_server_pid(server), SIGSTOP);
    end();
}

/* ---- What is refused ------------------------------------------------------------------------ */

TEST(a_second_engine_is_refused_and_the_first_goes_on)
{
    struct redis_server     *second = NULL;
    struct redis_server_spec spec = spec_of("redis-server");
    struct answer            a;
    begin();
    spec.data_dir = data_dir;
    assert_int_equal(redis_server_start(&loop, &spec, &second), MH_CONFLICT);
    assert_null(second);
    ASK(&a, "PING");
    assert_int_equal(a.err, MH_OK);
    end();
}

TEST(a_missing_redis_server_is_told_and_the_lock_given_back)
{
    struct redis_server_spec spec = spec_of("no-such-redis-server");
    begin_in_new_dir();
    assert_int_equal(redis_server_start(&loop, &spec, &server), MH_NOT_FOUND);
    assert_int_equal(start(), MH_OK);
    open_client();
    end();
}

TEST(a_data_directory_that_is_not_there_is_refused)
{
    uv_loop_init(&loop);
    snprintf(data_dir, sizeof data_dir, "/nonexistent");
    assert_int_equal(start(), MH_IO);
    loop_end(&loop);
}

/* ---- When it dies ------------------------------------------------------------------ */

TEST(after_kill_9_it_is_started_again_with_its_data)
{
    struct answer a;
    begin();
    int pid = redis_server_pid(server);
    ASK(&a, "SET k v");
    for (unsigned round = 1; round <= 3; round++) {
        kill(redis_server_pid(server), SIGKILL);
        RUN_UNTIL(&loop, ups == 1 + round);
        assert_data_is_there();
    }
    assert_int_not_equal(redis_server_pid(server), pid);
    assert_int_equal(downs, 3);
    end();
}

TEST(it_can_be_stopped_while_it_waits_to_start_it_again)
{
    begin();
    kill(redis_server_pid(server), SIGKILL);
    RUN_UNTIL(&loop, ups == 2);             /* the first time without a pause */
    kill(redis_server_pid(server), SIGKILL);
    RUN_UNTIL(&loop, redis_server_pid(server) == 0);
    end();
}

/* ---- When the engine dies ------------------------------------------------------------ */

TEST(a_server_left_over_by_a_crash_is_adopted)
{
    begin_in_new_dir();
    int pid = leave_over();
    assert_int_equal(start(), MH_OK);
    assert_int_equal(redis_server_pid(server), pid);
    open_client();
    assert_data_is_there();
    assert_int_equal(redis_server_pid(server), pid);
    end();
    assert_false(is_alive(pid));
}

TEST(one_that_wrote_no_pid_file_yet_is_adopted_too)
{
    char path[600];
    begin_in_new_dir();
    int pid = leave_over();
    snprintf(path, sizeof path, "%s/redis/redis.pid", data_dir);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(start(), MH_OK);
    assert_int_equal(redis_server_pid(server), pid);
    open_client();
    end();
}

TEST(an_adopted_server_that_dies_is_started_again)
{
    begin_in_new_dir();
    int pid = leave_over();
    assert_int_equal(start(), MH_OK);
    open_client();
    kill(pid, SIGKILL);
    RUN_UNTIL(&loop, ups == 2);
    assert_int_not_equal(redis_server_pid(server), pid);
    assert_data_is_there();
    end();
}

TEST(a_left_over_server_that_hangs_is_replaced)
{
    begin_in_new_dir();
    int pid = leave_over();
    kill(pid, SIGSTOP);
    assert_int_equal(start(), MH_OK);
    assert_int_equal(redis_server_pid(server), pid);
    RUN_UNTIL(&loop, redis_server_pid(server) != pid && redis_server_pid(server) != 0);
    open_client();
    assert_data_is_there();
    end();
}

TEST(a_left_over_server_with_other_settings_is_replaced)
{
    begin_in_new_dir();
    int pid = leave_over();
    struct redis_server_spec spec = spec_of("redis-server");
    spec.fsync = "everysec";
    assert_int_equal(redis_server_start(&loop, &spec, &server), MH_OK);
    RUN_UNTIL(&loop, redis_server_pid(server) != pid && redis_server_pid(server) != 0);
    open_client();
    assert_data_is_there();
    end();
}

TEST(an_engine_that_just_adopted_can_stop_at_once)
{
    begin_in_new_dir();
    int pid = leave_over();
    assert_int_equal(start(), MH_OK);
    stop_server();
    loop_end(&loop);
    assert_false(is_alive(pid));
    remove_tree(data_dir);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        RUN(it_starts_answers_and_stops),
        RUN(folder_and_socket_are_for_their_owner_only),
        RUN(it_is_configured_to_lose_nothing),
        RUN(the_server_inherits_nothing_and_is_not_hit_by_the_terminal),
        RUN(a_data_directory_may_lie_deeper_than_a_socket_path_can_tell),
        RUN(a_stopped_server_can_be_ended),
        RUN(a_second_engine_is_refused_and_the_first_goes_on),
        RUN(a_missing_redis_server_is_told_and_the_lock_given_back),
        RUN(a_data_directory_that_is_not_there_is_refused),
        RUN(after_kill_9_it_is_started_again_with_its_data),
        RUN(it_can_be_stopped_while_it_waits_to_start_it_again),
        RUN(a_server_left_over_by_a_crash_is_adopted),
        RUN(one_that_wrote_no_pid_file_yet_is_adopted_too),
        RUN(an_adopted_server_that_dies_is_started_again),
        RUN(a_left_over_server_that_hangs_is_replaced),
        RUN(a_left_over_server_with_other_settings_is_replaced),
        RUN(an_engine_that_just_adopted_can_stop_at_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
