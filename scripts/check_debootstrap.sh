#!/usr/bin/env bash
# Proves that a fresh clone works on a plain Debian 12: makes one in a folder, clones this repository
# into it and runs the two commands of the README there, each twice. Needs root, debootstrap, about
# 6 GB of disk and half an hour; it is no part of the tests.
#
#   scripts/check_debootstrap.sh [FOLDER]    default: build/debian12; kept afterwards, made if missing
#
# The package mirror, certificates and pip's settings are those of this machine.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

give_up() { printf '%s\n' "check_debootstrap: $*" >&2; exit 1; }
[[ $(id -u) -eq 0 ]] || give_up "must run as root."
command -v debootstrap >/dev/null || give_up "debootstrap is missing; install it with apt-get."

system=$(realpath -m "${1:-build/debian12}")
# A function rather than an exported name: nothing of this leaks into the commands that are tested.
mirror() { apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' 'Codename: bookworm' 2>/dev/null | sed -n 1p; }

if [[ ! -f $system/debootstrap_done ]]; then
  url=$(mirror)
  [[ -n $url ]] || give_up "apt knows no mirror of Debian 12 (bookworm); run apt-get update first."
  rm -rf "$system"
  debootstrap --variant=minbase --include=ca-certificates,git bookworm "$system" "$url"
  # The rest of apt's configuration tells where updates come from and how to reach them.
  for piece in sources.list.d/debian.sources sources.list apt.conf auth.conf.d; do
    [[ ! -e /etc/apt/$piece ]] || cp -rT "/etc/apt/$piece" "$system/etc/apt/$piece"
  done
  [[ ! -e /etc/apt/sources.list.d/debian.sources || -e /etc/apt/sources.list ]] || rm -f "$system/etc/apt/sources.list"
  touch "$system/debootstrap_done"
fi

cp -L /etc/resolv.conf /etc/hosts "$system/etc/"
[[ ! -e /etc/pip.conf ]] || cp /etc/pip.conf "$system/etc/"
# Certificates of this machine, so that a mirror behind its proxy is believed. The single file only: the
# others are absolute links, which from out here point into this machine.
cp --remove-destination -L /etc/ssl/certs/ca-certificates.crt "$system/etc/ssl/certs/"
passed=(HOME=/root PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin LANG=C.UTF-8)
while IFS= read -r line; do passed+=("$line"); done < <(env | grep -iE '^(https?_proxy|no_proxy|pip_[a-z_]+|ssl_cert_file|requests_ca_bundle)=' || true)
if [[ -d ${PIP_FIND_LINKS:-} ]]; then
  mkdir -p "$system$PIP_FIND_LINKS"
  cp -r "$PIP_FIND_LINKS/." "$system$PIP_FIND_LINKS/"
fi

mounted=()
clean_up() {
  local place
  for place in "${mounted[@]}"; do umount -R "$place" || true; done
}
trap clean_up EXIT
for place in proc dev; do
  mountpoint -q "$system/$place" || { mount --rbind "/$place" "$system/$place"; mount --make-rslave "$system/$place"; mounted+=("$system/$place"); }
done

rm -rf "$system/clone"
git clone --quiet --no-hardlinks . "$system/clone"
inside() { chroot "$system" env -i "${passed[@]}" bash -c "cd /clone && $1"; }

for command in scripts/demo.sh scripts/test.sh; do
  for round in first second; do
    began=$SECONDS
    printf '== %s, %s time\n' "$command" "$round"
    inside "$command" || give_up "$command failed the $round time."
    printf '== %s, %s time: %d s\n' "$command" "$round" $((SECONDS - began))
  done
done
