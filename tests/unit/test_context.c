/* SPDX-License-Identifier: Apache-2.0 */
/* What is taken of the caller's environment, files and descriptors, and that no secret of it stays where
 * others can see it. Each try is in a child with an environment of its own. */
#include "base/fd.h"
#include "base/str.h"
#include "child.h"
#include "keys/context.h"
#include "unit.h"

#include "fail-once.h"
#include "folder.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define TOKEN_MAX 16384

extern char **environ;

static struct config config;

/* --wrap: calls that fail once; a read is interrupted. */
WRAP(int, mlock, IO_ERROR, (const void *map, size_t size), (map, size))
WRAP(int, fstat64, IO_ERROR, (int fd, struct stat *st), (fd, st))
WRAP(ssize_t, read, (errno = EINTR, -1), (int fd, void *data, size_t size), (fd, data, size))

static int take(const char *cloud, int token_fd, struct key_context *ret, struct error *e)
{
    return key_context_take(&config, cloud, token_fd, ret, e);
}

/* --- variables --- */

/* As the process began: a fresh exec of this program, since the environment that the kernel shows is the one
 * that it put there. */
static int after_exec(void)
{
    static const char *const secrets[] = {"hush-password", "hush-token", "hush-auth", "hush-credential"};
    static const char wanted[] = "OS_USERNAME=alice\0OS_PASSWORD=hush-password\0OS_TOKEN=hush-token\0"
                                 "OS_AUTH_TOKEN=hush-auth\0OS_APPLICATION_CREDENTIAL_SECRET=hush-credential\0"
                                 "OS_EMPTY=";
    char shown[8192] = "";
    struct key_context who;
    struct error e = ERROR_NONE;
    config_defaults(&config);
    if (take(NULL, -1, &who, &e) < 0)
        return 1;
    if (!who.environment || secret_size(who.environment) != sizeof wanted ||
        memcmp(secret_peek(who.environment), wanted, sizeof wanted) != 0)
        return 2;
    if (!streq(getenv("HOME"), "/nowhere") || !streq(getenv("NOS_PASSWORD"), "kept"))
        return 3;
    for (char **left = environ; *left; left++)
        if (str_starts(*left, "OS_"))
            return 7;
    _cleanup_close_ int fd = open("/proc/self/environ", O_RDONLY | O_CLOEXEC);
    ssize_t n = read(fd, shown, sizeof shown);
    if (n <= 0 || !memmem(shown, (size_t)n, "OS_USERNAME=alice", 17))
        return 4; /* it is the block that we mean */
    for (size_t i = 0; i < ARRAY_SIZE(secrets); i++)
        if (memmem(shown, (size_t)n, secrets[i], strlen(secrets[i])))
            return 5;
    key_context_end(&who);
    return who.environment ? 6 : 0;
}

static int wait_for(pid_t pid)
{
    assert_true(pid > 0);
    int status = child_status(pid);
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

static void variables_are_taken_and_overwritten(void **state)
{
    (void)state;
    static char *const variables[] = {(char *)"HOME=/nowhere",
                                      (char *)"OS_USERNAME=alice",
                                      (char *)"OS_PASSWORD=hush-password",
                                      (char *)"OS_TOKEN=hush-token",
                                      (char *)"NOS_PASSWORD=kept",
                                      (char *)"OS_AUTH_TOKEN=hush-auth",
                                      (char *)"OS_APPLICATION_CREDENTIAL_SECRET=hush-credential",
                                      (char *)"OS_EMPTY=",
                                      NULL};
    char *const argv[] = {(char *)"test_context", (char *)"after-exec", NULL};
    pid_t pid = fork();
    if (pid == 0) {
        execve("/proc/self/exe", argv, variables);
        _exit(100);
    }
    assert_int_equal(wait_for(pid), 0);
}

static void no_variables(void **state)
{
    (void)state;
    struct error e = ERROR_NONE;
    struct key_context who;
    clearenv();
    assert_ok(take(NULL, -1, &who, &e), e);
    assert_null(who.environment);
    assert_null(who.token);
    assert_string_equal(who.cloud, "");
    assert_true(who.clouds_fd < 0 && who.secure_fd < 0 && who.host_secret_fd < 0);
    key_context_end(&who);
}

static void too_many_variables(void **state)
{
    (void)state;
    static char value[KEY_ENVIRONMENT_MAX];
    struct key_context who;
    for (int i = 0; i < 2; i++) {
        struct error e = ERROR_NONE;
        size_t n = sizeof value - sizeof "OS_X=" + (size_t)i; /* just as many as can be, and one more */
        memset(value, 'v', n);
        value[n] = '\0';
        clearenv();
        setenv("OS_X", value, 1);
        assert_error(take(NULL, -1, &who, &e), i ? -E2BIG : 0, e);
        assert_null(getenv("OS_X")); /* taken out in any case */
        key_context_end(&who);
    }
}

/* --- tokens --- */

static int token_of(const void *text, size_t size, struct key_context *ret, struct error *e)
{
    _cleanup_close_ int fd = -1;
    assert_int_equal(fd_memfd("token", text, size, &fd), 0);
    clearenv();
    return take(NULL, fd, ret, e);
}

static void a_token(void **state)
{
    (void)state;
    static const char *const texts[] = {"gAAAA-token", "gAAAA-token\n", "gAAAA-token\r\n", "gAAAA-token\n\n"};
    for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
        struct error e = ERROR_NONE;
        struct key_context who;
        assert_ok(token_of(texts[i], strlen(texts[i]), &who, &e), e);
        assert_int_equal(secret_size(who.token), 11);
        assert_memory_equal(secret_peek(who.token), "gAAAA-token", 11);
        key_context_end(&who);
    }
}

/* Standard input is a descriptor like any other. */
static void a_token_of_standard_input(void **state)
{
    (void)state;
    struct error e = ERROR_NONE;
    struct key_context who;
    _cleanup_close_ int fd = -1, saved = fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 3);
    assert_int_equal(fd_memfd("token", "to-ken", 6, &fd), 0);
    assert_int_equal(dup2(fd, STDIN_FILENO), STDIN_FILENO);
    clearenv();
    assert_ok(take(NULL, STDIN_FILENO, &who, &e), e);
    assert_non_null(who.token);
    assert_int_equal(secret_size(who.token), 6);
    key_context_end(&who);
    if (saved >= 0)
        dup2(saved, STDIN_FILENO);
}

/* Nothing but newlines is cut off: whether the rest can be one is for those who send it. */
static void a_token_with_a_nul(void **state)
{
    (void)state;
    struct error e = ERROR_NONE;
    struct key_context who;
    assert_ok(token_of("to-ken\0\n", 8, &who, &e), e);
    assert_int_equal(secret_size(who.token), 7);
    key_context_end(&who);
}

static void tokens_that_are_none(void **state)
{
    (void)state;
    static char text[TOKEN_MAX + 1];
    static const char *const empty[] = {"", "\n", "\r\n\r\n"};
    struct key_context who;
    struct error e = ERROR_NONE;
    for (size_t i = 0; i < ARRAY_SIZE(empty); i++) {
        e = ERROR_NONE;
        assert_error(token_of(empty[i], strlen(empty[i]), &who, &e), -EINVAL, e);
        key_context_end(&who);
    }
    memset(text, 't', sizeof text);
    e = ERROR_NONE;
    assert_ok(token_of(text, TOKEN_MAX, &who, &e), e);
    assert_int_equal(secret_size(who.token), TOKEN_MAX);
    key_context_end(&who);
    assert_error(token_of(text, TOKEN_MAX + 1, &who, &e), -EINVAL, e);
    assert_null(who.token);
    key_context_end(&who);
    e = ERROR_NONE;
    assert_error(take(NULL, 9999, &who, &e), -EBADF, e);
    assert_non_null(strstr(e.text, "--token-fd 9999"));
    key_context_end(&who);
}

/* From a pipe it comes in parts. */
static void a_token_in_parts(void **state)
{
    (void)state;
    int ends[2];
    struct error e = ERROR_NONE;
    struct key_context who;
    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    pid_t pid = fork();
    if (pid == 0) {
        for (const char *c = "to-ken\n"; *c; c++)
            if (write(ends[1], c, 1) != 1 || usleep(1000) < 0)
                _exit(1);
        _exit(0);
    }
    close(ends[1]);
    clearenv();
    assert_ok(take(NULL, ends[0], &who, &e), e);
    assert_int_equal(secret_size(who.token), 6);
    assert_memory_equal(secret_peek(who.token), "to-ken", 6);
    key_context_end(&who);
    close(ends[0]);
    assert_int_equal(wait_for(pid), 0);
}

/* --- clouds.yaml --- */

static void write_file(const char *path, const char *text, mode_t mode)
{
    _cleanup_close_ int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    assert_int_equal(fd_write_all(fd, text, strlen(text)), 0);
    assert_int_equal(fchmod(fd, mode), 0);
}

static void assert_file(int fd, const char *wanted)
{
    _cleanup_free_ char *text = NULL;
    size_t size;
    if (!wanted) {
        assert_int_equal(fd, -1);
        return;
    }
    assert_true(fd >= 0);
    assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
    assert_int_equal(fd_read_text(fd, 4096, &text, &size), 0);
    assert_string_equal(text, wanted);
}

/* --wrap: what is wiped, so that it can be told what was in it. */
static bool wiped_a_secret;

static void look_at_wiped(const void *bytes, size_t size)
{
    static const char secret[] = "here secrets";
    wiped_a_secret = wiped_a_secret || memmem(bytes, size, secret, strlen(secret));
}

void __real_explicit_bzero(void *bytes, size_t size);
void __wrap_explicit_bzero(void *bytes, size_t size);
void __wrap_explicit_bzero(void *bytes, size_t size)
{
    look_at_wiped(bytes, size);
    __real_explicit_bzero(bytes, size);
}

void __real___explicit_bzero_chk(void *bytes, size_t size, size_t room); /* with _FORTIFY_SOURCE */
void __wrap___explicit_bzero_chk(void *bytes, size_t size, size_t room);
void __wrap___explicit_bzero_chk(void *bytes, size_t size, size_t room)
{
    look_at_wiped(bytes, size);
    __real___explicit_bzero_chk(bytes, size, room);
}

static void assert_clouds(const char *clouds, const char *secure)
{
    struct error e = ERROR_NONE;
    struct key_context who;
    assert_ok(take("lab", -1, &who, &e), e);
    assert_string_equal(who.cloud, "lab");
    assert_file(who.clouds_fd, clouds);
    assert_file(who.secure_fd, secure);
    key_context_end(&who);
}

/* No variables but HOME, and `folder` as the current one. */
static void live_in(const char *folder, const char *home)
{
    clearenv();
    setenv("HOME", home, 1);
    assert_int_equal(chdir(folder), 0);
}

static void places_of_clouds(void **state)
{
    const char *folder = *state;
    struct error e = ERROR_NONE;
    struct key_context who;
    live_in(folder, folder);
    assert_int_equal(mkdir("here", 0700) | mkdir(".config", 0700) | mkdir(".config/openstack", 0700), 0);
    assert_int_equal(chdir("here"), 0);
    if (access("/etc/openstack/clouds.yaml", F_OK) < 0)
        assert_clouds(NULL, NULL); /* none is there; whether one must be is for the manager to say */

    write_file("../.config/openstack/clouds.yaml", "home", 0600);
    assert_clouds("home", NULL);
    write_file("../.config/openstack/secure.yaml", "home secrets", 0600);
    assert_clouds("home", "home secrets");
    write_file("clouds.yaml", "here", 0600);
    assert_clouds("here", "home secrets"); /* each is looked for by itself, as openstacksdk does */
    write_file("secure.yaml", "here secrets", 0600);
    wiped_a_secret = false;
    assert_clouds("here", "here secrets");
    assert_true(wiped_a_secret); /* of the buffer that was searched for names of files */
    write_file("../named.yaml", "named", 0600);
    setenv("OS_CLIENT_CONFIG_FILE", "../named.yaml", 1);
    assert_clouds("named", "here secrets");
    setenv("OS_CLIENT_CONFIG_FILE", "../named.yaml", 1);
    setenv("OS_CLIENT_SECURE_FILE", "../.config/openstack/secure.yaml", 1);
    assert_clouds("named", "home secrets");

    setenv("OS_CLIENT_CONFIG_FILE", "../nowhere.yaml", 1); /* named, and so no other will do */
    assert_error(take("lab", -1, &who, &e), -ENOENT, e);
    assert_non_null(strstr(e.text, "../nowhere.yaml"));
    key_context_end(&who);

    /* by the variable; and without a cloud no file is opened */
    e = ERROR_NONE;
    setenv("OS_CLOUD", "other", 1);
    assert_ok(take(NULL, -1, &who, &e), e);
    assert_string_equal(who.cloud, "other");
    assert_file(who.clouds_fd, "here");
    key_context_end(&who);
    assert_ok(take(NULL, -1, &who, &e), e); /* OS_CLOUD was taken out of the environment */
    assert_string_equal(who.cloud, "");
    assert_int_equal(who.clouds_fd, -1);
    key_context_end(&who);

    if (geteuid() == 0) { /* in another user's folder */
        assert_int_equal(chown("clouds.yaml", 1, 1), 0);
        assert_error(take("lab", -1, &who, &e), -EACCES, e);
        assert_non_null(strstr(e.text, "belongs to user daemon"));
        key_context_end(&who);
    }
    assert_int_equal(chdir("/"), 0);
}

/* Files of certificates are opened before root is given up, so their names are looked for in text that nobody
 * has parsed yet: in each form of YAML that may be. */
static void certificates_of_clouds_are_opened(void **state)
{
    static const struct {
        const char *before, *behind; /* NULL: it is not named */
        bool found;
    } cases[] = {
        {"cacert: ", "", true},
        {"  cacert : ", "", true},
        {"cacert\t: ", "", true},
        {"cacert:\t", "", true},
        {"cacert: \t ", "", true},
        {"cacert:", "", true},
        {"\"cacert\": \"", "\"", true},
        {"'cacert' : '", "'", true},
        {"{auth: {a: b}, cacert: ", "}", true},
        {"{cacert: ", ", auth: {a: b}}", true},
        {"{\"cacert\":\"", "\"}", true},
        {"cacert: &ca ", "", true},
        {"cacert: ", " # of the cloud", true},
        {"cacert: ", "  \t", true},
        {"verify: ", "", true},
        {"ca_file: ", "", true},
        {"verify: true", NULL, false},
        {"cacert", NULL, false},
        {"cacert ", "", false},
    };
    char text[1000], path[400];
    write_file(folder_path(state, "ca.pem"), "certificate", 0644);
    snprintf(path, sizeof path, "%s", folder_path(state, "ca.pem"));
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct key_context who;
        struct error e = ERROR_NONE;
        snprintf(text, sizeof text, "%s%s%s\n", cases[i].before, cases[i].behind ? path : "",
                 cases[i].behind ? cases[i].behind : "");
        write_file(folder_path(state, "clouds.yaml"), text, 0644);
        clearenv();
        setenv("OS_CLIENT_CONFIG_FILE", folder_path(state, "clouds.yaml"), 1);
        assert_ok(take("cloud", -1, &who, &e), e);
        if ((who.ca[0].fd >= 0) != cases[i].found || (cases[i].found && !streq(who.ca[0].path, path)))
            fail_msg("%s: %s", text, who.ca[0].path);
        key_context_end(&who);
    }
}

/* As people write them in YAML: each file that is named and there is taken once, under the name it has there.
 */
static void files_of_certificates(void **state)
{
    static const char clouds[] = "clouds:\n"
                                 "  lab: # cacert without a value\n"
                                 "    cacert: plain.pem\n"
                                 "    \"cacert\" : \"quoted one.pem\"\n"
                                 "    cacert: &anchor anchored.pem   # a comment\n"
                                 "    auth: {ca_file: flow.pem, x: y}\n"
                                 "    ca-file:\t'single.pem'\n"
                                 "    verify: true\n"
                                 "    verify: ~/home.pem\t\r\n"
                                 "    cacert: nowhere.pem\n"
                                 "    cacert: plain.pem\n"
                                 "    cacert";
    static const char *const wanted[] = {"variable.pem", "option.pem", "plain.pem",  "quoted one.pem",
                                         "anchored.pem", "flow.pem",   "single.pem", "~/home.pem"};
    const char *folder = *state;
    struct error e = ERROR_NONE;
    struct key_context who;
    live_in(folder, folder);
    for (size_t i = 0; i < ARRAY_SIZE(wanted); i++)
        write_file(wanted[i] + (wanted[i][0] == '~' ? 2 : 0), "certificate", 0644);
    write_file("clouds.yaml", clouds, 0600);
    setenv("OS_CACERT", "variable.pem", 1);
    assert_int_equal(str_copy(config.barbican_ca_file, sizeof config.barbican_ca_file, "option.pem"), 0);
    assert_ok(take("lab", -1, &who, &e), e);
    for (size_t i = 0; i < ARRAY_SIZE(wanted); i++) {
        assert_string_equal(who.ca[i].path, wanted[i]);
        assert_file(who.ca[i].fd, "certificate");
    }
    key_context_end(&who);

    write_file("secure.yaml", "cacert: secure.pem\n", 0600); /* more than there is room for: the first ones */
    write_file("secure.pem", "certificate", 0644);
    assert_ok(take("lab", -1, &who, &e), e);
    for (size_t i = 0; i < KEY_CA_MAX; i++)
        assert_true(who.ca[i].fd < 0 || !streq(who.ca[i].path, "secure.pem") || i == KEY_CA_MAX - 1);
    key_context_end(&who);
    config.barbican_ca_file[0] = '\0';

    /* what is no file */
    setenv("OS_CLIENT_CONFIG_FILE", folder, 1);
    assert_error(take("lab", -1, &who, &e), -EINVAL, e);
    key_context_end(&who);
    assert_int_equal(chdir("/"), 0);
}

/* Each call that fails is told, or what it was for is done without it. */
static void failures_are_told(void **state)
{
    const char *folder = *state;
    live_in(folder, "/nowhere");
    write_file("clouds.yaml", "clouds: {}\n", 0600);
    write_file("token", "to-ken\n", 0600);
    unsigned n = 0;
    do {
        struct error e = ERROR_NONE;
        struct key_context who;
        _cleanup_close_ int token = open("token", O_RDONLY | O_CLOEXEC);
        setenv("OS_USERNAME", "alice", 1);
        calls = 0;
        failed = NULL;
        fail_at = ++n;
        int r = take("lab", token, &who, &e);
        fail_at = 0;
        if (r < 0)
            assert_true(e.errnum == r && e.text[0]);
        else
            assert_true(secret_size(who.token) == 6 && who.environment && (failed || who.clouds_fd >= 0));
        assert_true(failed || r == 0);
        key_context_end(&who);
    } while (failed);
    assert_true(n > 5);
    assert_int_equal(chdir("/"), 0);
}

static void a_cloud_of_a_long_name(void **state)
{
    (void)state;
    char name[KEY_CLOUD_MAX + 1];
    struct error e = ERROR_NONE;
    struct key_context who;
    memset(name, 'c', sizeof name);
    name[KEY_CLOUD_MAX] = '\0';
    clearenv();
    assert_error(take(name, -1, &who, &e), -ENAMETOOLONG, e);
    key_context_end(&who);
}

/* --- the password of the host --- */

static int take_host(const char *path, struct key_context *ret, struct error *e)
{
    assert_int_equal(str_copy(config.host_password_file, sizeof config.host_password_file, path), 0);
    return take(NULL, -1, ret, e);
}

static void the_password_of_the_host(void **state)
{
    const char *folder = *state;
    static const mode_t open_to_others[] = {0604, 0640, 0620, 0602, 0610, 0601, 0666};
    struct error e = ERROR_NONE;
    struct key_context who;
    clearenv();
    assert_int_equal(chdir(folder), 0);
    assert_ok(take_host("nowhere", &who, &e), e);
    assert_int_equal(who.host_secret_fd, -1);
    key_context_end(&who);

    for (size_t i = 0; i < ARRAY_SIZE(open_to_others); i++) {
        e = ERROR_NONE;
        write_file("password", "pw", open_to_others[i]);
        assert_error(take_host("password", &who, &e), -EPERM, e);
        assert_non_null(strstr(e.text, "chmod 600"));
        assert_int_equal(who.host_secret_fd, -1);
        key_context_end(&who);
    }
    e = ERROR_NONE;
    write_file("password", "pw", 0400);
    assert_ok(take_host("password", &who, &e), e);
    assert_file(who.host_secret_fd, "pw");
    key_context_end(&who);

    /* what is no file, and might never end */
    assert_int_equal(mkfifo("fifo", 0600), 0);
    assert_error(take_host("fifo", &who, &e), -EPERM, e);
    key_context_end(&who);
    e = ERROR_NONE;
    assert_error(take_host("/dev/zero", &who, &e), -EPERM, e);
    key_context_end(&who);

    /* systemd's comes first */
    e = ERROR_NONE;
    assert_int_equal(mkdir("credentials", 0700), 0);
    setenv("CREDENTIALS_DIRECTORY", "credentials", 1);
    assert_ok(take_host("password", &who, &e), e);
    assert_file(who.host_secret_fd, "pw");
    key_context_end(&who);
    write_file("credentials/mayfly.barbican", "credential", 0440);
    assert_ok(take_host("password", &who, &e), e);
    assert_file(who.host_secret_fd, "credential");
    key_context_end(&who);
    config.host_password_file[0] = '\0';
    assert_int_equal(chdir("/"), 0);
}

int main(int argc, char *argv[])
{
    if (argc == 2 && streq(argv[1], "after-exec"))
        return after_exec();
    config_defaults(&config);
    config.host_password_file[0] = '\0';
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(variables_are_taken_and_overwritten),
        cmocka_unit_test(no_variables),
        cmocka_unit_test(too_many_variables),
        cmocka_unit_test(a_token),
        cmocka_unit_test(a_token_of_standard_input),
        cmocka_unit_test(a_token_with_a_nul),
        cmocka_unit_test(tokens_that_are_none),
        cmocka_unit_test(a_token_in_parts),
        cmocka_unit_test_setup_teardown(places_of_clouds, folder_make, folder_remove),
        cmocka_unit_test_setup_teardown(certificates_of_clouds_are_opened, folder_make, folder_remove),
        cmocka_unit_test_setup_teardown(files_of_certificates, folder_make, folder_remove),
        cmocka_unit_test_setup_teardown(failures_are_told, folder_make, folder_remove),
        cmocka_unit_test(a_cloud_of_a_long_name),
        cmocka_unit_test_setup_teardown(the_password_of_the_host, folder_make, folder_remove),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
