# SPDX-License-Identifier: Apache-2.0
# The README's first command: what `make demo` shows is checked line by line as it runs.
# host: -t 4500
. "$SRC/lab/lib.sh"
make -s -C "$SRC" demo
