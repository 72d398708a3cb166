/* SPDX-License-Identifier: Apache-2.0 */
#include "disks/arguments.h"

#include "unit.h"

#include <stdio.h>
#include <string.h>

static struct arguments a;
static struct error e;

static int read_these(const char *one, const char *two)
{
    char first[200], second[200], name[] = "mayfly-disks";
    char *argv[] = {name, first, second, NULL};
    snprintf(first, sizeof first, "%s", one ? one : "");
    snprintf(second, sizeof second, "%s", two ? two : "");
    e = ERROR_NONE;
    return arguments_read(1 + (one != NULL) + (two != NULL), argv, &a, &e);
}

static void all_of_them(void **state)
{
    (void)state;
    assert_ok(
        read_these(
            "--disk=id=root,file=5,listen=6,key=7,key-bits=256,sector-size=512,queues=4,read-only,discard",
            "--poll-usec=20"),
        e);
    const struct disk *d = &a.disk[0];
    assert_int_equal(a.n, 1);
    assert_string_equal(d->id, "root");
    assert_int_equal(d->fd, 5);
    assert_int_equal(d->listen_fd, 6);
    assert_int_equal(d->key_fd, 7);
    assert_int_equal(d->key_bytes, 32);
    assert_int_equal(d->sector_bytes, 512);
    assert_int_equal(d->queues, 4);
    assert_true(d->read_only);
    assert_true(d->discard);
    assert_int_equal(d->poll_usec, 20);
}

static void what_is_not_said(void **state)
{
    (void)state;
    assert_ok(read_these("--disk=id=root,file=5,listen=6", "--disk=id=swap,file=7,listen=8"), e);
    assert_int_equal(a.n, 2);
    for (int i = 0; i < 2; i++) {
        const struct disk *d = &a.disk[i];
        assert_int_equal(d->key_fd, -1);
        assert_int_equal(d->key_bytes, 64);
        assert_int_equal(d->sector_bytes, 4096);
        assert_int_equal(d->queues, 1);
        assert_false(d->read_only || d->discard);
        assert_true(d->poll_usec > 0);
    }
}

static void how_long_it_stays(void **state)
{
    (void)state;
    assert_ok(read_these("--disk=id=root,file=5,listen=6", "--state=7"), e);
    assert_int_equal(a.tenure.state_fd, 7);
    assert_int_equal(a.tenure.opener_fd, -1);
    assert_int_equal(a.ready_fd, -1);
    assert_ok(read_these("--opener=8", "--disk=id=root,file=5,listen=6"), e);
    assert_int_equal(a.tenure.opener_fd, 8);
    assert_ok(read_these("--ready=9", "--disk=id=root,file=5,listen=6"), e);
    assert_int_equal(a.ready_fd, 9);
    assert_int_equal(read_these("--ready=none", "--disk=id=root,file=5,listen=6"), -EINVAL);
    assert_int_equal(read_these("--state=1", "--disk=id=root,file=5,listen=6"), -EINVAL);
}

static void what_is_not_understood(void **state)
{
    (void)state;
    static const char *const wrong[] = {
        "--disk=",
        "--disk=id=a,file=5",
        "--disk=id=a,listen=5",
        "--disk=file=5,listen=6",
        "--disk=id=,file=5,listen=6",
        "--disk=id=a,file=2,listen=6",
        "--disk=id=a,file=-1,listen=6",
        "--disk=id=a,file,listen=6",
        "--disk=id=a,file=5x,listen=6",
        "--disk=id=a,file=5,listen=6,key-bits=384",
        "--disk=id=a,file=5,listen=6,sector-size=1000",
        "--disk=id=a,file=5,listen=6,sector-size=8192",
        "--disk=id=a,file=5,listen=6,queues=0",
        "--disk=id=a,file=5,listen=6,queues=17",
        "--disk=id=a,file=5,listen=6,read-only=no",
        "--disk=id=a,file=5,listen=6,colour=red",
        "--disk=id=a-name-that-is-longer-than-virtio-has,file=5,listen=6",
        "--poll-usec=10001",
        "--poll-usec=",
        "--help",
        "word",
    };
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        assert_int_equal(read_these(wrong[i], NULL), -EINVAL);
        assert_true(strlen(e.text) > 0);
    }
    assert_int_equal(read_these(NULL, NULL), -EINVAL);
    assert_int_equal(read_these("--disk=id=a,file=5,listen=6", "word"), -EINVAL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_of_them),
        cmocka_unit_test(what_is_not_said),
        cmocka_unit_test(how_long_it_stays),
        cmocka_unit_test(what_is_not_understood),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
