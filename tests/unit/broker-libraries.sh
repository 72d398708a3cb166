#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# broker-libraries.sh MAYFLY-BROKER: what runs as root has none of the libraries that parse what strangers send.
set -eu
libraries=$(ldd "$1")
for name in libcurl libjson-c libxml2 libvirt libnbd; do
    case $libraries in *$name*)
        echo "$1 is linked with $name" >&2
        exit 1
        ;;
    esac
done
case $libraries in *libdevmapper*) ;; *)
    echo "$1 is not linked with libdevmapper: is it the right program?" >&2
    exit 1
    ;;
esac
