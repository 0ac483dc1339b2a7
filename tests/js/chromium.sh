#!/bin/sh
# Chromium for the tests of the page: installed by apt where it is missing and this may be done.
set -eu
for browser in ${CHROMIUM:-} chromium chromium-browser; do
  if command -v "$browser" >/dev/null; then exit 0; fi
done
if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
  apt-get -qq update
  exec apt-get -qq install -y --no-install-recommends chromium >/dev/null
fi
echo "error: no chromium: install the package chromium, or set CHROMIUM to a browser's path" >&2
exit 1
