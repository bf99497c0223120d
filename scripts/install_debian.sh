#!/usr/bin/env bash
# Installs what the tests need and neither PyPI nor npm carries: a PostgreSQL server, the FUSE library,
# `ip`, the browser Chromium, and what draws papers.
# Installs only what is missing, and only as root on a machine with apt; otherwise prints the one line to run.
set -eu -o pipefail

missing=()

has_postgresql() {
  command -v initdb >/dev/null 2>&1 && return 0
  compgen -G '/usr/lib/postgresql/*/bin/initdb' >/dev/null
}

has_fuse() {
  [ -e /dev/fuse ] || return 1
  # The library is asked of the linker's cache; fusermount3 is what lets a user who is not root mount.
  { ldconfig -p 2>/dev/null || /sbin/ldconfig -p; } | grep -q 'libfuse3\.so' && command -v fusermount3 >/dev/null 2>&1
}

has_postgresql || missing+=(postgresql)
has_fuse || missing+=(fuse3)
# For a network namespace in which every address is this machine.
{ command -v ip || ls /usr/sbin/ip /sbin/ip; } >/dev/null 2>&1 || missing+=(iproute2)
# Debian's name for it; on other systems CHROMIUM names the program (tests/support/browser.py).
[ -x "${CHROMIUM:-/usr/bin/chromium}" ] || missing+=(chromium)
# WeasyPrint sets papers with Pango, in letters of both languages.
{ ldconfig -p 2>/dev/null || /sbin/ldconfig -p; } | grep -q 'libpangoft2-1\.0\.so' || missing+=(libpangoft2-1.0-0)
{ ldconfig -p 2>/dev/null || /sbin/ldconfig -p; } | grep -q 'libharfbuzz-subset\.so' || missing+=(libharfbuzz-subset0)
[ -n "$(fc-list ':family=Noto Sans CJK SC' 2>/dev/null)" ] || missing+=(fontconfig fonts-noto-cjk)
[ -n "$(fc-list ':family=DejaVu Sans Mono' 2>/dev/null)" ] || missing+=(fonts-dejavu-core)

if [ ${#missing[@]} -eq 0 ]; then
  exit 0
fi

install="apt-get update && apt-get install -y --no-install-recommends ${missing[*]}"
if ! command -v apt-get >/dev/null 2>&1; then
  echo "The tests need these, by whatever name this system has for them: ${missing[*]}" >&2
  exit 1
fi
if [ "$(id -u)" -ne 0 ]; then
  echo "The tests need packages that only root may install. Run:" >&2
  echo "  sudo sh -c '$install'" >&2
  exit 1
fi

echo "Installing ${missing[*]} (Debian packages the tests need)"
export DEBIAN_FRONTEND=noninteractive
apt-get update -q >/dev/null
apt-get install -y -q --no-install-recommends "${missing[@]}" >/dev/null

if [ ! -e /dev/fuse ]; then
  echo "/dev/fuse is missing: the kernel of this machine offers no FUSE, so the power-loss tests cannot run" >&2
  exit 1
fi
