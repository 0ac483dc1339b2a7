#!/bin/sh
# qemu-x86_64 and qemu-aarch64, one package, for the emulated processors: installed by apt where it is missing and this may be done. Where it
# cannot be had, the test skips itself and says so.
if [ "$(uname -sm)" != "Linux x86_64" ]; then exit 0; fi
if command -v "${QEMU:-qemu-x86_64}" >/dev/null; then exit 0; fi
if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
  apt-get -qq update && apt-get -qq install -y --no-install-recommends qemu-user >/dev/null
fi
exit 0
