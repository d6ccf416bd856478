# Shared by the `build` scripts of the templates (bash). A build sources this file, says how many steps it
# has, and calls the functions below. Results go to $OUT, everything in between to $WORK.
#
#   total=5; . "$(dirname "$0")/../lib/build.sh"; isolate "$@"
#
# Progress is one line a step on stdout; whatever the tools say goes to stderr.

: "${OUT:?OUT must name an existing empty folder for the results}"
: "${WORK:?WORK must name an existing empty folder for scratch files}"
: "${total:?}"
OUT=$(realpath "$OUT") WORK=$(realpath "$WORK")
here=$(realpath "$(dirname "$0")")
lib=$(realpath "${BASH_SOURCE[0]%/*}")
export OUT WORK TMPDIR="$WORK" LC_ALL=C.UTF-8 DEBIAN_FRONTEND=noninteractive
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
# The same inputs should give the same image: no clock time in it.
export SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-1704067200}
umask 022
step_number=0
doing="starting"

step() {
  step_number=$((step_number + 1)) doing="$*"
  printf 'STEP %d/%d %s\n' "$step_number" "$total" "$*" >&3
}

fail() {
  reason="$*"
  exit 1
}

# Runs the rest of the build in mount and process namespaces of its own. Whatever ends this script, SIGKILL
# included, takes every process and every mount of the build with it.
isolate() {
  [ "$(id -u)" = 0 ] || { echo "a template has to be built as root" >&2; exit 1; }
  if [ "${BULKHEAD_BUILD_ISOLATED:-}" != yes ]; then
    BULKHEAD_BUILD_ISOLATED=yes setpriv --pdeathsig KILL \
      unshare --mount --pid --mount-proc --kill-child "$0" "$@" &
    local inner=$! code=0
    # unshare itself ignores SIGTERM and SIGINT while it waits, so it is killed outright.
    trap 'kill -KILL "$inner" 2>/dev/null || true; wait "$inner" 2>/dev/null || true; echo "build of $(basename "$here") was interrupted" >&2; exit 143' TERM INT HUP
    wait "$inner" || code=$?
    exit "$code"
  fi
  exec 3>&1 1>&2
  reason=""
  trap 'code=$?; [ "$code" = 0 ] || echo "build of $(basename "$here") failed while $doing${reason:+: $reason}" >&2' EXIT
  local tool
  for tool in mmdebstrap depmod modprobe cpio mke2fs qemu-img dpkg-deb apt-get; do
    command -v "$tool" >/dev/null || fail "the command $tool is missing on this machine"
  done
  apt_setup
}

# --- packages -----------------------------------------------------------------------------------------

# apt with the machine's own Debian sources and nothing else: third-party lists that the machine may have
# must neither be asked nor win over Debian's versions.
apt_setup() {
  local codename foreign file
  codename=$(. /etc/os-release && echo "${VERSION_CODENAME:-}")
  [ -n "$codename" ] || fail "/etc/os-release has no VERSION_CODENAME"
  suite=$codename
  # Where apt has lists already it knows who publishes them. (Unknown origins are kept here: the suite and
  # the component still have to be Debian's.)
  foreign=$(apt-get indextargets --format '$(REPO_URI) $(ORIGIN)' 'Created-By: Packages' 2>/dev/null |
    awk '$2 != "" && $2 != "$(ORIGIN)" && $2 != "Debian" { print $1 }' | sort -u | tr '\n' ' ') || true # lists of others may be broken
  : > "$WORK/debian.sources"
  : > "$WORK/debian.list"
  for file in /etc/apt/sources.list.d/*.sources; do
    [ -e "$file" ] || continue
    sed 's/^#.*$//; s/[[:space:]]*$//' "$file" | awk -v suite="$codename" -v foreign="$foreign" '
      # Comment lines inside a stanza are legal, empty lines end one; sed made the first into the second,
      # so stanzas are put together by field names here: "Types" begins a new one.
      function flush() {
        if (stanza != "" && types ~ /(^| )deb( |$)/ && good && main && enabled && !other) print stanza "Suites:" kept "\n"
        stanza = ""; types = ""; good = 0; main = 0; enabled = 1; other = 0; kept = ""
      }
      function word(w) {
        if (field == "types") types = types " " w
        if (field == "suites" && (w == suite || w == suite "-updates" || w == suite "-security")) { good = 1; kept = kept " " w }
        if (field == "components" && w == "main") main = 1
        if (field == "enabled" && tolower(w) ~ /^(no|false|0|off)$/) enabled = 0
        if (field == "uris") { u = w; sub(/\/*$/, "/", u); if (index(" " foreign, " " u " ")) other = 1 }
      }
      BEGIN { enabled = 1 }
      /^[ \t]*$/ { next }
      /^[^ \t]/ { field = tolower($0); sub(/:.*/, "", field); if (field == "types") flush(); begin = 1 }
      { text = $0; if (begin) { sub(/^[^:]*:/, "", text); begin = 0 } n = split(text, words); for (i = 1; i <= n; i++) word(words[i])
        if (field != "suites") stanza = stanza (field == "types" ? "Types: deb" : $0) "\n" }
      END { flush() }' >> "$WORK/debian.sources"
  done
  for file in /etc/apt/sources.list /etc/apt/sources.list.d/*.list; do
    [ -e "$file" ] || continue
    awk -v suite="$codename" -v foreign="$foreign" '
      $1 == "deb" {
        line = $0; sub(/^deb[ \t]+(\[[^]]*\][ \t]*)?/, "", line); n = split(line, f)
        u = f[1]; sub(/\/*$/, "/", u)
        main = 0; for (i = 3; i <= n; i++) if (f[i] == "main") main = 1
        if (main && (f[2] == suite || f[2] == suite "-updates" || f[2] == suite "-security") && !index(" " foreign, " " u " ")) print
      }' "$file" >> "$WORK/debian.list"
  done
  [ -s "$WORK/debian.sources" ] || [ -s "$WORK/debian.list" ] || fail "no apt source for Debian $codename on this machine"
  sources=()
  for file in "$WORK/debian.sources" "$WORK/debian.list"; do
    if [ -s "$file" ]; then sources+=("$file"); else rm "$file"; fi
  done
  mkdir -p "$WORK/apt/sources.d" "$WORK/apt/lists/partial" "$WORK/debs"
  cp "${sources[@]}" "$WORK/apt/sources.d/"
  apt_options=(
    -q -o Dir::Etc::SourceList=/dev/null -o Dir::Etc::SourceParts="$WORK/apt/sources.d"
    -o Dir::Cache::pkgcache= -o Dir::Cache::srcpkgcache=
    # The download user _apt cannot write to a folder that only root may enter.
    -o APT::Sandbox::User=root
  )
}

# Fetches packages into $WORK/debs. The machine's lists may be missing or older than the mirror: then lists
# of our own are fetched, so that the machine's stay as they are.
download() {
  fetch "$@" && return
  refresh_lists
  fetch "$@" || fail "apt could not download $*"
}

fetch() { (cd "$WORK/debs" && apt-get "${apt_options[@]}" download "$@"); }

refresh_lists() {
  apt_options+=(-o Dir::State::Lists="$WORK/apt/lists")
  apt-get "${apt_options[@]}" update || fail "apt could not fetch the package lists"
}

# The packages that NAME needs, libraries only: enough to run a program of it outside of a Debian system.
library_packages() {
  apt-cache "${apt_options[@]}" depends --recurse --no-recommends --no-suggests --no-conflicts --no-breaks \
    --no-replaces --no-enhances "$1" | grep -E '^lib[a-z0-9.+-]*$' | grep -vE '^lib.*-perl$|^libperl' | sort -u
}

unpack() { # FOLDER PACKAGE...
  local folder=$1 package deb
  shift
  mkdir -p "$folder"
  for package in "$@"; do
    for deb in "$WORK/debs/${package}"_*.deb; do dpkg-deb -x "$deb" "$folder"; done
  done
}

# --- kernel and initrd ----------------------------------------------------------------------------------

# Debian's kernel into $WORK/kernel; sets kernel_version. The package's name changes with the kernel: a mirror that is
# newer than the machine's lists has no package of the name that these tell.
fetch_kernel() {
  local package
  package=$(kernel_package)
  if [ -z "$package" ] || ! fetch "$package"; then
    refresh_lists
    package=$(kernel_package)
    [ -n "$package" ] || fail "apt knows no package linux-image-amd64"
    fetch "$package" || fail "apt could not download $package"
  fi
  kernel_version=${package#linux-image-}
  unpack "$WORK/kernel" "$package"
  # /lib may be merged into /usr in newer packages.
  if [ -d "$WORK/kernel/usr/lib/modules" ] && [ ! -e "$WORK/kernel/lib" ]; then ln -s usr/lib "$WORK/kernel/lib"; fi
  depmod -b "$WORK/kernel" "$kernel_version"
}

# What linux-image-amd64 stands for; nothing where apt does not know it.
kernel_package() {
  { apt-cache "${apt_options[@]}" depends linux-image-amd64 2>/dev/null || true; } |
    awk '/^ *Depends: linux-image-/ && !found { print $2; found = 1 }'
}

# The kernel as it starts soonest. Debian's generic kernel is packed with xz, and unpacking that takes 5 to 6 s under
# emulation: so it is unpacked here, put before the initrd (which QEMU maps and processes share, unlike the kernel), and
# started by code/start.S. Entering the unpacked kernel directly (by PVH) is not the same: then nothing tells it about
# the VGA text screen, which stays dark, and a screenshot shows no panic.
# Reads $WORK/initrd.cpio.
install_kernel() { # KERNEL INITRD
  local packed=$WORK/kernel/boot/vmlinuz-$kernel_version setup offset length
  setup=$((($(number "$packed" $((0x1f1)) 1) + 1) * 512))
  offset=$(number "$packed" $((0x248)) 4) length=$(number "$packed" $((0x24c)) 4)
  dd if="$packed" of="$WORK/kernel.packed" bs=1M iflag=skip_bytes,count_bytes status=none skip=$((setup + offset)) count="$length"
  case $(od -An -tx1 -N 6 "$WORK/kernel.packed" | tr -d ' \n') in
    fd377a585a00) xz --single-stream -dc "$WORK/kernel.packed" > "$WORK/vmlinux" || fail "the kernel could not be unpacked" ;;
    28b52ffd*) zstd -q -dc "$WORK/kernel.packed" > "$WORK/vmlinux" 2> /dev/null || [ -s "$WORK/vmlinux" ] || fail "the kernel could not be unpacked" ;;
    *)
      echo "the kernel is packed in a way that is not known here; it is used as it is" >&2
      install -m 644 "$packed" "$1"
      install -m 644 "$WORK/initrd.cpio" "$2"
      return
      ;;
  esac
  kernel_as_in_memory "$WORK/vmlinux" "$WORK/kernel.image"
  local cpio=$WORK/initrd.cpio start words
  start=$((($(stat -c %s "$WORK/kernel.image") + 4095) / 4096 * 4096))
  words=$((start / 8))
  install -m 644 "$WORK/kernel.image" "$2"
  truncate -s "$start" "$2"
  cat "$cpio" >> "$2"
  {
    head -c "$setup" "$packed"
    bytes "$(head -c 16 "$lib/code/start.hex")"
    little_endian "$start" "$words" $(((kernel_end - kernel_address + 7) / 8 - words)) "$(stat -c %s "$cpio")" "$kernel_end"
    bytes "$(tr -d '\n' < "$lib/code/start.hex" | tail -c +57)"
  } > "$1"
  # The header describes what followed the real-mode part in the packed kernel: its size in units of 16 bytes (0x1f4),
  # ways to enter it (0x236) and what was packed (0x248), none of which is there any more.
  put "$1" $((0x1f4)) "$(little_endian $((($(stat -c %s "$1") - setup + 15) / 16)) | od -An -tx1 | tr -d ' \n')"
  put "$1" $((0x236)) 0000
  put "$1" $((0x248)) 0000000000000000
  chmod 644 "$1"
}

# The loadable parts of VMLINUX one behind the other as in memory, without the zeros at the end. Sets kernel_address and
# kernel_end, physical addresses of all that it needs when it starts.
kernel_as_in_memory() { # VMLINUX OUT
  local headers count at index address size
  kernel_address=$((0x1000000)) kernel_end=0
  headers=$(number "$1" 32 8) count=$(number "$1" 56 2)
  [ "$(number "$1" 24 8)" = "$kernel_address" ] || fail "the kernel wants to be entered elsewhere than at 16 MiB"
  rm -f "$2"
  for ((index = 0; index < count; index++)); do
    at=$((headers + 56 * index))
    [ "$(number "$1" "$at" 4)" = 1 ] || continue
    address=$(number "$1" $((at + 24)) 8) size=$(number "$1" $((at + 32)) 8)
    dd if="$1" of="$2" bs=1M iflag=skip_bytes,count_bytes oflag=seek_bytes conv=notrunc,sparse status=none \
      skip="$(number "$1" $((at + 8)) 8)" count="$size" seek=$((address - kernel_address))
    address=$((address + $(number "$1" $((at + 40)) 8)))
    if ((address > kernel_end)); then kernel_end=$address; fi
  done
  size=$((($(stat -c %s "$2") + 65535) / 65536 * 65536))
  truncate -s "$size" "$2"
  while ((size > 65536)) && cmp -s -n 65536 -i $((size - 65536)):0 "$2" /dev/zero; do size=$((size - 65536)); done
  truncate -s "$size" "$2"
}

# The number of SIZE bytes at OFFSET of FILE.
number() { od -An -t "u$3" -j "$2" -N "$3" "$1" | tr -d ' '; } # FILE OFFSET SIZE

bytes() { # HEX
  local at text=""
  for ((at = 0; at < ${#1}; at += 2)); do text+="\\x${1:at:2}"; done
  printf '%b' "$text"
}

# Each number as four bytes.
little_endian() {
  local value
  for value in "$@"; do
    bytes "$(printf '%02x%02x%02x%02x' $((value & 255)) $((value >> 8 & 255)) $((value >> 16 & 255)) $((value >> 24 & 255)))"
  done
}

put() { bytes "$3" | dd of="$1" bs=1 seek="$2" conv=notrunc status=none; } # FILE OFFSET HEX

# Drivers of the machine that Bulkhead gives every guest. They all live in the initrd, in loading order:
# first the one that reports a panic, then what the root needs.
drivers="pvpanic-pci pvpanic-mmio virtio_pci virtio_blk ext4 virtio_net virtio_console virtio-rng virtio_scsi sd_mod evdev button"

# Into $WORK/initrd.cpio.
build_initrd() {
  local root=$WORK/initrd module path list=""
  mkdir -p "$root"/{bin,dev,proc,sys,root,modules}
  install_busybox "$root/bin/busybox"
  install -m 755 "$lib/guest/init" "$root/init"
  for module in $drivers; do
    while read -r _ path; do
      case " $list " in *" ${path##*/} "*) continue ;; esac
      list="$list ${path##*/}"
      install -m 644 "$path" "$root/modules/"
    done < <(modprobe -d "$WORK/kernel" -S "$kernel_version" --show-depends "$module" | grep '^insmod ' ||
      echo "the kernel has no driver $module" >&2)
  done
  # Newer kernels come with packed modules, and busybox cannot load those.
  find "$root/modules" -name '*.xz' -exec xz -d {} +
  find "$root/modules" -name '*.zst' -exec zstd -q -d --rm {} +
  printf '%s\n' $list | sed -E 's/\.(xz|zst)$//' > "$root/modules/order"
  find "$root" -exec touch -h -d "@$SOURCE_DATE_EPOCH" {} +
  # Not packed: reading it costs nothing, unpacking it under emulation does.
  (cd "$root" && find . | LC_ALL=C sort | cpio -o -H newc --quiet --reproducible) > "$WORK/initrd.cpio"
}

install_busybox() { # OUT
  local file
  for file in /bin/busybox /usr/bin/busybox; do
    # The dynamic busybox of another package would not start in a guest that has no libraries.
    if [ -x "$file" ] && ! LC_ALL=C ldd "$file" >/dev/null 2>&1; then
      install -m 755 "$file" "$1"
      return
    fi
  done
  fail "the package busybox-static is missing on this machine"
}

# Modules for what an administrator may want (file systems, nftables), without the drivers of hardware that no guest
# here ever has, which are four fifths of them. The machine's own drivers are in the initrd.
install_modules() { # FOLDER
  local from=$WORK/kernel/lib/modules/$kernel_version to=$1/usr/lib/modules/$kernel_version part
  mkdir -p "$to/kernel/drivers"
  cp -a "$from"/modules.* "$to/"
  for part in arch block crypto fs lib mm net drivers/{block,char,dax,firmware,md,misc,nvme,ptp,rtc,virtio,vhost,watchdog} \
    drivers/net/{bonding,vxlan,wireguard}; do
    [ ! -e "$from/kernel/$part" ] || { mkdir -p "$to/kernel/${part%/*}"; cp -a "$from/kernel/$part" "$to/kernel/$part"; }
  done
  for part in "$from"/kernel/drivers/net/*.ko*; do cp -a "$part" "$to/kernel/drivers/net/"; done
  rm -rf "$to"/kernel/net/{bluetooth,mac80211,wireless,nfc,ieee802154,mac802154,6lowpan,rfkill}
  depmod -b "$1" "$kernel_version"
}

# A program from lib/code, in place of one that costs more.
install_code() { # NAME OUT
  bytes "$(tr -d '\n' < "$lib/code/$1.hex")" > "$2"
  chmod 755 "$2"
}

# --- the root disk ----------------------------------------------------------------------------------------

# A root folder becomes an ext4 file system on a bare disk. Journal and checksums stay on: what a guest has
# synced must survive its panic.
make_disk() { # FOLDER SIZE LABEL OUT [qemu-img options]
  local folder=$1 size=$2 label=$3 out=$4
  shift 4
  find "$folder" -xdev -newermt "@$SOURCE_DATE_EPOCH" -exec touch -h -d "@$SOURCE_DATE_EPOCH" {} +
  rm -f "$WORK/disk.raw"
  mke2fs -q -t ext4 -L "$label" -m 1 -O has_journal,metadata_csum,extent,64bit \
    -U 6b756c6b-6865-4164-8000-000000000001 \
    -E hash_seed=6b756c6b-6865-4164-8000-000000000002,root_owner=0:0,lazy_itable_init=0,lazy_journal_init=0 \
    -d "$folder" "$WORK/disk.raw" "$size" || fail "mke2fs could not make a disk of $size"
  qemu-img convert -f raw -O qcow2 "$@" "$WORK/disk.raw" "$out" || fail "qemu-img could not write the disk"
  rm "$WORK/disk.raw"
}

# --- a Debian root ----------------------------------------------------------------------------------------

install_debian() { # FOLDER PACKAGE,PACKAGE... [mmdebstrap options]
  # Documentation and translations are two thirds of a small Debian.
  mmdebstrap --quiet --mode=root --variant=essential --format=directory --include="$2" "${@:3}" \
    --dpkgopt='path-exclude=/usr/share/doc/*' --dpkgopt='path-exclude=/usr/share/man/*' \
    --dpkgopt='path-exclude=/usr/share/locale/*' --dpkgopt='path-exclude=/usr/share/info/*' \
    --dpkgopt='path-exclude=/usr/share/i18n/*' \
    --aptopt='APT::Install-Recommends "false"' --aptopt='APT::Install-Suggests "false"' \
    --aptopt='APT::Sandbox::User "root"' \
    "$suite" "$1" "${sources[@]}" || fail "mmdebstrap could not install Debian $suite"
  # Settings of the build that the guest should not inherit.
  rm -f "$1/etc/apt/apt.conf.d/99mmdebstrap" "$1/etc/dpkg/dpkg.cfg.d/99mmdebstrap"
}

# Everything that guests with systemd have in common, and then what is the template's own.
furnish() { # FOLDER
  # systemd's shutdown passes "+0", which is what the guest agent says, on to logind; without logind it has to be "now".
  chroot "$1" dpkg-divert --quiet --local --rename --divert /sbin/shutdown.systemd --add /sbin/shutdown
  cp -a --no-preserve=ownership "$lib/debian/." "$here/root/." "$1/"
  install -d "$1/usr/lib/bulkhead" "$1/data"
  install -m 755 "$lib"/guest/{setup,disks,wake,agent} "$1/usr/lib/bulkhead/"
  install -m 644 "$lib/guest/data_disk.py" "$1/usr/lib/bulkhead/"
  install_code reseed "$1/usr/lib/bulkhead/reseed"
  install_quick_hwclock "$1"
  echo "# The initrd mounts /. Add others here." > "$1/etc/fstab"
  printf '127.0.0.1 localhost\n::1 localhost\n' > "$1/etc/hosts"
  echo guest > "$1/etc/hostname"
  # Nobody gets in without a password that the administrator has set.
  sed -i 's/^root:[^:]*:/root:!:/' "$1/etc/shadow"
}

# Where few things ever arrive, for every event of a disk each rule would be read.
keep_few_udev_rules() { # FOLDER
  local rules
  for rules in "$1"/lib/udev/rules.d/*.rules; do
    case ${rules##*/} in 50-udev-default.rules | 99-systemd.rules) continue ;; esac
    ln -sf /dev/null "$1/etc/udev/rules.d/${rules##*/}"
  done
}

# See code/nothing.S. Diverted, for whoever installs util-linux-extra.
install_quick_hwclock() { # FOLDER
  chroot "$1" dpkg-divert --quiet --local --rename --divert /sbin/hwclock.util-linux --add /sbin/hwclock
  install_code nothing "$1/sbin/hwclock"
}

slim() { # FOLDER
  rm -rf "$1"/usr/share/{doc,man,locale,info,i18n,lintian,bug} "$1"/var/cache/{apt,debconf}/* "$1"/var/lib/apt/lists/* \
    "$1"/var/log/{apt,*.log} "$1"/usr/lib/udev/hwdb.{d,bin} "$1"/etc/udev/hwdb.bin
  mkdir -p "$1/var/cache/apt/archives/partial" "$1/var/lib/apt/lists/partial"
  rm -f "$1"/etc/resolv.conf
  touch "$1"/etc/resolv.conf
}

# Only what a guest on Bulkhead's own machine needs gets started: every unit costs under emulation.
configure_systemd() { # FOLDER UNIT...
  local root=$1 unit
  shift
  local units=$root/etc/systemd/system
  # Filled at the first boot: guests of one template must not share it.
  : > "$root/etc/machine-id"
  rm -f "$root/var/lib/dbus/machine-id"
  for unit in \
    apt-daily.timer apt-daily-upgrade.timer dpkg-db-backup.timer e2scrub_all.timer e2scrub_reap.service fstrim.timer \
    systemd-hwdb-update.service systemd-pstore.service systemd-update-utmp.service systemd-update-utmp-runlevel.service \
    systemd-boot-system-token.service systemd-machine-id-commit.service systemd-modules-load.service systemd-binfmt.service \
    systemd-firstboot.service systemd-sysusers.service systemd-network-generator.service systemd-remount-fs.service \
    systemd-timesyncd.service systemd-logind.service systemd-ask-password-console.path systemd-ask-password-wall.path \
    modprobe@.service kmod-static-nodes.service ldconfig.service networking.service getty-static.service getty@tty1.service \
    dev-hugepages.mount dev-mqueue.mount sys-kernel-debug.mount sys-kernel-tracing.mount sys-kernel-config.mount \
    sys-fs-fuse-connections.mount proc-sys-fs-binfmt_misc.automount; do
    ln -sf /dev/null "$units/$unit"
  done
  # Each of these is a program to start before anything else. fstab's stays: administrators use it.
  mkdir -p "$root/etc/systemd/system-generators"
  for unit in "$root"/lib/systemd/system-generators/*; do
    case ${unit##*/} in systemd-fstab-generator) continue ;; esac
    ln -sf /dev/null "$root/etc/systemd/system-generators/${unit##*/}"
  done
  for unit in "$@"; do
    mkdir -p "$units/multi-user.target.wants"
    case $unit in
      serial-getty@*)
        mkdir -p "$units/getty.target.wants"
        ln -sf /lib/systemd/system/serial-getty@.service "$units/getty.target.wants/$unit.service"
        ;;
      *) ln -sf "/etc/systemd/system/$unit.service" "$units/multi-user.target.wants/$unit.service" ;;
    esac
  done
  ln -sf /lib/systemd/system/multi-user.target "$units/default.target"
}
