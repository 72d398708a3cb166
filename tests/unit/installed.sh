#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# installed.sh BUILD SOURCES: what is installed does not know that it was built in a folder, and so looks for nothing there. What
# is uninstalled is gone, but for what an operator has changed.
set -euo pipefail
build=$1 uninstall=$2/tools/uninstall
command -v readelf >/dev/null || exit 77
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
DESTDIR=$folder meson install -C "$build" --no-rebuild >"$folder/log"
mapfile -t programs < <(find "$folder" -type f -perm -100 -name 'mayfly*' -path '*/bin/*' -o -type f -path '*/libexec/*')
[ "${#programs[@]}" -ge 3 ] || { echo "not all is installed: ${programs[*]}"; exit 1; }
grep -q mayfly-build < <(readelf -d "$build/src/cli/mayfly") || { echo "the mark is not where it should be"; exit 1; }
for program in "${programs[@]}"; do
    if grep -E 'RUNPATH|RPATH' < <(readelf -d "$program"); then
        echo "$program looks in a build folder"
        exit 1
    fi
done

# Where the program is gone, the hook lets every domain start.
hook=$(find "$folder" -path '*/hooks/qemu.d/mayfly')
sed "s|[^ ]*/bin/mayfly|$folder/gone|g" "$hook" >"$folder/hook"
grep -q "exec $folder/gone hook" "$folder/hook" || { echo "the hook runs another program"; exit 1; }
for call in "prepare begin" "release end"; do
    # shellcheck disable=SC2086 # two words
    sh "$folder/hook" domain $call - </dev/null || { echo "without mayfly, $call of the hook fails"; exit 1; }
done
rm "$folder/hook"

left() { (cd "$folder" && find . -type f ! -name log); }
export DESTDIR=$folder
"$uninstall" "$build" >/dev/null
[ -z "$(left)" ] || { echo "uninstall left:"; left; exit 1; }
meson install -C "$build" --no-rebuild >/dev/null
config=$(cd "$folder" && find . -name mayfly.conf -path '*/etc/mayfly/*')
echo "# mine" >>"$folder/$config"
meson install -C "$build" --no-rebuild >/dev/null
grep -qxF "# mine" "$folder/$config" || { echo "an installation has replaced the operator's configuration"; exit 1; }
"$uninstall" "$build" >"$folder/log"
[ "$(left)" = "$config" ] || { echo "uninstall did not leave $config alone, but:"; left; exit 1; }
grep -q "^left: the configuration in" "$folder/log"
