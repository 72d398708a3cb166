# SPDX-License-Identifier: Apache-2.0
# The short way in front of meson. Build folders: build (plain), build-asan (unit tests), build-lab (programs that the
# lab runs), build-clang, build-fuzz, build-coverage.
BUILD = build

.PHONY: all demo test test-quick sabotage mutate coverage torture check fuzz bench bench-check deb package-test host-test cross-test nova-test fleet-test install uninstall clean

all:
	@tools/packages build
	@test -e $(BUILD)/build.ninja || meson setup $(BUILD) -Dtests=false
	@ninja -C $(BUILD)

demo:
	@tools/packages build test
	@demo/run

test:
	@tools/packages build test
	@tests/run

# What a change is tried with before it is committed.
test-quick:
	@tools/packages build test
	@tests/run quick

# Breaks each promise on purpose, and sees that a test fails. Not part of test: it takes long.
sabotage:
	@tools/packages build test
	@tests/sabotage/run

# Makes faults at random, and sees whether a test notices. Takes long as well.
mutate:
	@tools/packages build test coverage
	@tests/mutate/run

# What no test reaches: lines and branches, in build/coverage. The lab's tests as well: tests/coverage/run --lab.
coverage:
	@tools/packages build test coverage
	@tests/coverage/run

torture:
	@tools/packages build test
	@tests/torture

check:
	@tools/packages build test
	@tests/check

fuzz:
	@tools/packages build test
	@tests/fuzz/run

bench:
	@tools/packages build test bench
	@bench/run

# Does anything that can be counted do worse than it did? Not part of test: it takes minutes.
bench-check:
	@tools/packages build test bench
	@bench/run --check

# A Debian package, in build/deb.
deb:
	@tools/packages build deb
	@tools/deb

# Installs, upgrades, removes and purges it in a Debian of its own. Not part of test: it takes minutes, and packages from the network.
package-test: deb
	@tools/packages package-test
	@tests/package
	@tests/package-nova

# The same on a whole Debian server under emulation, as README has it. Not part of test: it takes an hour.
host-test: deb
	@tools/packages test host-test
	@tests/host/run

# Builds it for arm64, and runs the unit tests there under emulation. Not part of test: minutes, and packages from the network.
cross-test:
	@tools/packages cross-test
	@tests/cross

# The driver for OpenStack Nova, with Nova's classes and with the real Nova in a lab. Not part of test, which has a short one: it takes
# an hour and a half.
nova-test:
	@tools/packages build test nova
	@tests/nova/run

# 50 compute hosts over doubles, and one real Keystone and Barbican. Not part of test, which has four of them: it takes a quarter of an hour.
fleet-test:
	@tools/packages build test
	@tests/fleet/run

install: all
	@meson install -C $(BUILD)

uninstall:
	@tools/uninstall $(BUILD)

clean:
	rm -rf build build-asan build-lab build-gcc build-clang build-coverage build-fuzz
