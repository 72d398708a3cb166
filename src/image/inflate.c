/* SPDX-License-Identifier: Apache-2.0 */
/* inflate.so is preloaded into the sandboxed qemu-nbd, whose work on a compressed qcow2 is mostly to inflate
 * clusters. A cluster that comes whole (Z_FINISH, as QEMU does it) is inflated by libdeflate, in half the
 * time. All else is passed on to zlib.
 */
#include <dlfcn.h>
#include <libdeflate.h>
#include <stdbool.h>
#include <zlib.h>

static bool inflate_whole(z_streamp s)
{
    size_t in = 0, out = 0;
    struct libdeflate_decompressor *d = libdeflate_alloc_decompressor();
    if (!d)
        return false;
    enum libdeflate_result r =
        libdeflate_deflate_decompress_ex(d, s->next_in, s->avail_in, s->next_out, s->avail_out, &in, &out);
    libdeflate_free_decompressor(d);
    if (r != LIBDEFLATE_SUCCESS)
        return false;
    s->next_in += in;
    s->avail_in -= (unsigned)in;
    s->total_in += in;
    s->next_out += out;
    s->avail_out -= (unsigned)out;
    s->total_out += out;
    return true;
}

__attribute__((visibility("default"))) int inflate(z_streamp s, int flush)
{
    if (flush == Z_FINISH && s->total_in == 0 && inflate_whole(s))
        return Z_STREAM_END;
    int (*zlibs)(z_streamp, int) = (__typeof__(zlibs))dlsym(RTLD_NEXT, "inflate");
    return zlibs ? zlibs(s, flush) : Z_VERSION_ERROR;
}
