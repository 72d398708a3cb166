#!/usr/bin/python3 -IS
# SPDX-License-Identifier: Apache-2.0
"""lab/vmlinux.py BZIMAGE TARGET: the kernel that a vmlinuz of Debian's holds, unpacked.

QEMU enters it directly; to unpack it under emulation takes a minute. lab/virtual-time imports this file.
"""

import gzip
import lzma
import struct
import subprocess
import sys


def extract_kernel(bz_image, target):
    """The ELF file inside. Its place is told by the boot protocol's header (Documentation/arch/x86/boot.rst)."""
    with open(bz_image, "rb") as file:
        image = file.read()
    setup_sectors = image[0x1F1] or 4
    offset, length = struct.unpack_from("<II", image, 0x248)
    begin = (setup_sectors + 1) * 512 + offset
    kernel = unpacked(image[begin:begin + length - 4])  # its size is appended
    if not kernel.startswith(b"\x7fELF"):
        raise OSError(f"{bz_image}: holds no kernel that is understood")
    with open(target, "wb") as file:
        file.write(kernel)


def unpacked(data):
    if data.startswith(b"\xfd7zXZ"):
        return lzma.decompress(data)
    if data.startswith(b"\x1f\x8b"):
        return gzip.decompress(data)
    if data.startswith(b"\x28\xb5\x2f\xfd"):
        return subprocess.run(["zstd", "-dc"], input=data, stdout=subprocess.PIPE, check=True).stdout
    return data


if __name__ == "__main__":
    extract_kernel(*sys.argv[1:])
