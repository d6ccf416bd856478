# What the programs that make a domain have in common. Sourced; `place` is where a controller's data disk is.
place=/data/domain

fail() {
  echo "$*" >&2
  exit 1
}

# Runs a step; of what it says the last lines are told when it fails.
logged() { # NAME COMMAND...
  local log=/tmp/$1.log
  shift
  "$@" > "$log" 2>&1 || {
    tail -n 3 "$log" >&2
    exit 1
  }
}

empty_state() {
  cp -a /usr/share/domain/samba "$place/samba"
  mkdir -p "$place/etc" /run/samba /run/domain
  # Samba reads nothing at all where a file is missing that its configuration includes.
  : > /run/domain/smb.conf
}

settings=(
  # What the host says when the server starts: see /usr/lib/domain/controller.
  "include = /run/domain/smb.conf"
  # A static group (RFC 7919): Samba would make one of its own, for 16 s.
  "tls dh params file = /usr/share/domain/dhparams.pem"
  # In the order in which they start. Names and addresses are made here, once.
  "server services = ldap, cldap, kdc, dns, rpc, s3fs, winbindd, drepl, kcc, ntp_signd"
  # Where the program that tells the time has its answers signed: see /usr/lib/domain/controller.
  "ntp signd socket directory = /run/domain/ntp_signd"
  "kccsrv:samba_kcc = false"
  # Seconds until the other controllers are told of a change; five without it.
  "dreplsrv:notify_interval = 1"
  # Each is a process to start before anybody is answered; of the usual four the others mostly wait.
  "prefork children = 1"
  "prefork children:ldap = 2"
  # One that looks at a password waits for the disk; the others who want a ticket should not.
  "prefork children:kdc = 2"
  "dns update command = /bin/true"
  "spn update command = /bin/true"
  "disable netbios = yes"
  "smb ports = 445"
  "disable spoolss = yes"
  "load printers = no"
  "printcap name = /dev/null"
)

configure() {
  local setting
  # What this machine's addresses are while the domain is made is not what they are later.
  sed -i -E '/dns forwarder|interfaces/d' "$place/etc/smb.conf"
  for setting in "${settings[@]}"; do sed -i "/^\[global\]/a\\\t$setting" "$place/etc/smb.conf"; done
  # A ticket is too large for one packet: who asks by UDP is told so, and asks again by TCP, for twice the work. Windows asks
  # by TCP at once; so does MIT's Kerberos where no other way is in the domain's DNS.
  sed -i '/_kerberos\._udp/d' "$place/samba/private/dns_update_list"
}

# Samba would make a key at its first start, for seconds.
make_certificate() { # REALM HOST
  local name=$2.${1,,} private=$place/samba/private/tls
  mkdir -p -m 700 "$private"
  logged tls openssl req -x509 -newkey rsa:2048 -nodes -sha256 -days 3650 -subj "/CN=$name" \
    -addext "subjectAltName=DNS:$name,DNS:${1,,}" -keyout "$private/key.pem" -out "$private/cert.pem"
  chmod 600 "$private/key.pem"
  cp "$private/cert.pem" "$private/ca.pem"
  echo "$name $2" > "$place/name"
}

# Starts Samba at one address only, and waits until it answers; `samba` is its process then.
start_samba() { # ADDRESS NAME
  local port tries=0
  samba --foreground --no-process-group --option="interfaces = $1" --option="bind interfaces only = yes" \
    < /dev/null > "/tmp/samba-$2.log" 2>&1 &
  samba=$!
  for port in 53 88 135 389 445; do
    until (: <> "/dev/tcp/$1/$port") 2> /dev/null; do
      kill -0 "$samba" 2> /dev/null || fail "Samba of $2 has ended: $(tail -n 2 "/tmp/samba-$2.log")"
      tries=$((tries + 1))
      [ "$tries" -lt 1200 ] || fail "port $port of $2 is silent"
      sleep 0.05
    done
  done
}

# Also the programs that it has started.
end_samba() { # PID
  kill "$1" 2> /dev/null || return 0
  wait "$1" || true
}

# Samba's programs take the password so: no argument, which others could read.
as_administrator() { # COMMAND...
  PASSWD_FD=9 "$@" -U Administrator 9<<< "$password"
}
