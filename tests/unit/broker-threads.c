/* SPDX-License-Identifier: Apache-2.0 */
/* See broker-threads.h. */
#include "broker-threads.h"

#include "base/fd.h"
#include "broker/server.h"
#include "fake-storage.h"
#include "folder.h"

#include <pthread.h>
#include <semaphore.h>
#include <sys/socket.h>
#include <sys/un.h>

#define CONNECTIONS 1024

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
    struct served *own = data;
    s.locks.pid = getpid();
    int r = server_serve(own->socket, -1, &s, NULL);
    session_end(&s);
    own->socket = fd_close(own->socket);
    sem_post(&ends);
    return r < 0 ? (void *)"the server failed" : NULL;
}

struct broker *broker_threads_connect(void)
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

void broker_threads_wait(void)
{
    while (sem_wait(&ends) < 0)
        assert_int_equal(errno, EINTR);
}

int broker_threads_begin(void **state)
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
    snprintf(config.volume_groups.item[0], CONFIG_TEXT_MAX, "vg0");
    return bind(listening, (struct sockaddr *)&address, sizeof address) < 0 ? -1 : listen(listening, 4);
}

int broker_threads_end(void **state)
{
    int failed = 0;
    for (size_t i = 0; i < n_served; i++) {
        void *problem = NULL;
        shutdown(served[i].socket, SHUT_RDWR); /* of one that has not ended */
        pthread_join(served[i].thread, &problem);
        failed |= problem != NULL;
    }
    sem_destroy(&ends);
    fake_storage_clear();
    fd_close(listening);
    free(locks_path);
    free(socket_path);
    return folder_remove(state) | failed;
}
