/* SPDX-License-Identifier: Apache-2.0 */
/* The real client and the real server, over the storage in memory: that double passes the suite which LVM and
 * device-mapper pass in the lab. Each connection is served by a thread, since all are of one host. */
#include "broker-suite.h"

#include "base/fd.h"
#include "broker/server.h"
#include "fake-storage.h"
#include "folder.h"

#include <pthread.h>
#include <semaphore.h>
#include <sys/socket.h>
#include <sys/un.h>

#define CONNECTIONS 64

static struct config config;
static char *locks_path, *socket_path;
static int listening = -1;
static struct served {
    pthread_t thread;
    int socket;
} served[CONNECTIONS];
static size_t n_served;
static sem_t ends;

static void *serve(void *data)
{
    struct session s = {.config = &config, .root = true, .locks_path = locks_path, .locks = LOCKS_NONE};
    s.locks.pid = getpid();
    int r = server_serve(((const struct served *)data)->socket, -1, &s, NULL);
    session_end(&s);
    sem_post(&ends);
    return r < 0 ? (void *)"the server failed" : NULL;
}

static struct broker *connect_server(void)
{
    struct error e = ERROR_NONE;
    struct broker *b = NULL;
    struct served *new = &served[n_served];
    assert_true(n_served < CONNECTIONS);
    assert_ok(broker_connect(socket_path, &b, &e), e);
    new->socket = accept4(listening, NULL, NULL, SOCK_CLOEXEC);
    assert_true(new->socket >= 0);
    assert_int_equal(pthread_create(&new->thread, NULL, serve, new), 0);
    n_served++;
    return b;
}

static void wait_for_end(void)
{
    while (sem_wait(&ends) < 0)
        assert_int_equal(errno, EINTR);
}

static void add_stranger(const char *lv, uint64_t size_bytes)
{
    struct volume v = {.size_bytes = size_bytes};
    snprintf(v.vg, sizeof v.vg, "%s", suite.vg);
    snprintf(v.lv, sizeof v.lv, "%s", lv);
    snprintf(v.instance, sizeof v.instance, "%.36s", lv);
    fake_storage_add_stranger(&v);
}

static int begin(void **state)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    if (folder_make(state) < 0)
        return -1;
    locks_path = str_format("%s/locks", (char *)*state);
    socket_path = str_format("%s/sock", (char *)*state);
    snprintf(address.sun_path, sizeof address.sun_path, "%s", socket_path);
    listening = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
    sem_init(&ends, 0, 0);
    config_defaults(&config);
    config.volume_groups.n = 1;
    snprintf(config.volume_groups.item[0], CONFIG_TEXT_MAX, "%s", suite.vg);
    return bind(listening, (struct sockaddr *)&address, sizeof address) < 0 ? -1 : listen(listening, 4);
}

static int end(void **state)
{
    int failed = 0;
    for (size_t i = 0; i < n_served; i++) {
        void *problem = NULL;
        shutdown(served[i].socket, SHUT_RDWR); /* a test that failed has left it */
        pthread_join(served[i].thread, &problem);
        fd_close(served[i].socket);
        failed |= problem != NULL;
    }
    sem_destroy(&ends);
    fake_storage_clear();
    fd_close(listening);
    free(locks_path);
    free(socket_path);
    return folder_remove(state) | failed;
}

int main(void)
{
    const struct CMUnitTest tests[] = {BROKER_SUITE};
    suite = (struct broker_suite){.connect = connect_server,
                                  .ended = wait_for_end,
                                  .vg = "vg0",
                                  .other_vg = "vg1",
                                  .add_stranger = add_stranger};
    return cmocka_run_group_tests_name("the server over the storage in memory", tests, begin, end);
}
