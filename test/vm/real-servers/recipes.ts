import type { Recipe } from "./server.ts";

/** Each as Debian and its own documentation set it up, as far as a check may meet it: what is not said is its default. */
const key =
	"openssl req -x509 -newkey rsa:2048 -nodes -subj /CN=server.test -days 2 -keyout /etc/key.pem -out /etc/cert.pem 2>/dev/null";

const postfix = `compatibility_level = 3.6
maillog_file = /dev/stdout
myhostname = server.test
mydestination =
inet_interfaces = loopback-only
inet_protocols = ipv4
mail_owner = postfix
setgid_group = postdrop
alias_maps =
smtpd_relay_restrictions = reject
smtpd_tls_cert_file = /etc/cert.pem
smtpd_tls_key_file = /etc/key.pem
smtpd_tls_security_level = may
`;
const postfixServices = `smtp inet n - n - - smtpd
587 inet n - n - - smtpd
465 inet n - n - - smtpd
  -o smtpd_tls_wrappermode=yes
pickup unix n - n 60 1 pickup
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
tlsmgr unix - - n 1000? 1 tlsmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
proxymap unix - - n - - proxymap
anvil unix - - n - 1 anvil
postlog unix-dgram n - n - 1 postlogd
`;

const dovecot = `protocols = imap
listen = 127.0.0.1
ssl_cert = </etc/cert.pem
ssl_key = </etc/key.pem
base_dir = /run/dovecot
log_path = /dev/stderr
default_internal_user = server
default_internal_group = server
default_login_user = server
passdb {
  driver = passwd-file
  args = /etc/passwd
}
service anvil {
  chroot =
}
service imap-login {
  chroot =
}
service stats {
  chroot =
}
`;

const nginx = `daemon off;
pid /run/nginx.pid;
error_log stderr;
events { }
http {
  access_log /dev/stdout;
  client_body_temp_path /tmp/body;
  proxy_temp_path /tmp/proxy;
  fastcgi_temp_path /tmp/fastcgi;
  uwsgi_temp_path /tmp/uwsgi;
  scgi_temp_path /tmp/scgi;
  server {
    listen 127.0.0.1:80;
    listen 127.0.0.1:443 ssl;
    ssl_certificate /etc/cert.pem;
    ssl_certificate_key /etc/key.pem;
    location / { return 404; }
  }
}
`;

const cups = `Listen 127.0.0.1:631
Browsing Off
WebInterface Yes
DefaultAuthType Basic
<Location />
  Order allow,deny
</Location>
`;
const cupsFiles = `AccessLog stderr
ErrorLog stderr
PageLog stderr
CacheDir /var/cache/cups
RequestRoot /var/spool/cups
TempDir /var/spool/cups/tmp
StateDir /run/cups
ServerRoot /etc/cups
User server
Group server
SystemGroup root
`;

const slapd = `include /etc/ldap/schema/core.schema
pidfile /run/slapd.pid
TLSCertificateFile /etc/cert.pem
TLSCertificateKeyFile /etc/key.pem
modulepath /usr/lib/ldap
moduleload back_mdb
database mdb
suffix "dc=server,dc=test"
directory /var/ldap
`;

const samba = `[global]
server role = standalone server
smb ports = 445
lock directory = /run/samba
state directory = /var/lib/samba
cache directory = /var/cache/samba
private dir = /var/lib/samba/private
pid directory = /run
ncalrpc dir = /run/samba
map to guest = Bad User
load printers = no
disable spoolss = yes
[share]
path = /tmp
guest ok = yes
`;

const strict =
	"smb ports = 446\nserver min protocol = SMB3_11\nserver smb encrypt = required\nserver signing = mandatory";

function sambaRecipe(name: string, configuration: string): Recipe {
	return {
		name,
		files: { "etc/samba/smb.conf": configuration },
		prepare: "mkdir -p /run/samba /var/lib/samba/private /var/cache/samba /var/log/samba",
		command: ["/usr/sbin/smbd", "-F", "--no-process-group", "--debug-stdout", "-s", "/etc/samba/smb.conf"],
		asRoot: true,
	};
}

export const recipes: readonly Recipe[] = [
	{
		name: "openssh",
		files: { "etc/sshd_config": "ListenAddress 127.0.0.1\nHostKey /etc/key\nPidFile none\nUsePAM no\n" },
		prepare: "ssh-keygen -q -t ed25519 -N '' -f /etc/key; mkdir -p /run/sshd",
		command: ["/usr/sbin/sshd", "-D", "-e", "-f", "/etc/sshd_config"],
	},
	{
		name: "postfix",
		files: { "etc/postfix/main.cf": postfix, "etc/postfix/master.cf": postfixServices },
		etc: ["postfix"],
		prepare: `${key}; mkdir -p /var/spool/postfix /var/lib/postfix; chown postfix /var/lib/postfix`,
		command: ["/usr/sbin/postfix", "start-fg"],
		asRoot: true,
	},
	{
		name: "dovecot",
		files: { "etc/dovecot.conf": dovecot },
		prepare: `${key}; mkdir -p /run/dovecot`,
		command: ["/usr/sbin/dovecot", "-F", "-c", "/etc/dovecot.conf"],
	},
	{
		name: "xrdp",
		files: {},
		etc: ["xrdp"],
		prepare: `${key}; cd /etc/xrdp; mv /etc/*.pem .
			xrdp-keygen xrdp /etc/xrdp/rsakeys.ini >/dev/null
			sed -i -e 's/^EnableSyslog=true/EnableSyslog=false/' -e 's/^port=3389/port=tcp:\\/\\/127.0.0.1:3389/' xrdp.ini`,
		command: ["/usr/sbin/xrdp", "--nodaemon"],
		log: "var/log/xrdp.log",
	},
	{
		name: "nginx",
		files: { "etc/nginx.conf": nginx },
		prepare: key,
		command: ["/usr/sbin/nginx", "-e", "stderr", "-c", "/etc/nginx.conf"],
	},
	{
		name: "cups",
		files: { "etc/cups/cupsd.conf": cups, "etc/cups/cups-files.conf": cupsFiles },
		prepare: "mkdir -p /var/cache/cups /var/spool/cups/tmp /run/cups",
		command: ["/usr/sbin/cupsd", "-f"],
	},
	{
		name: "openldap",
		files: { "etc/slapd.conf": slapd, "var/ldap/.keep": "" },
		etc: ["ldap"],
		prepare: key,
		command: [
			"/usr/sbin/slapd",
			"-d",
			"stats",
			"-h",
			"ldap://127.0.0.1:389 ldaps://127.0.0.1:636",
			"-f",
			"/etc/slapd.conf",
		],
	},
	sambaRecipe("samba", samba),
	// As strict as Windows Server 2025 can be made: neither of the dialects that the check offers.
	sambaRecipe("samba-strict", samba.replace("smb ports = 445", strict)),
	{
		name: "mariadb",
		files: {},
		prepare:
			"mariadb-install-db --no-defaults --auth-root-authentication-method=normal --skip-test-db --datadir=/var/mysql >/dev/null 2>&1",
		command: [
			...["/usr/sbin/mariadbd", "--no-defaults", "--datadir=/var/mysql", "--socket=/run/mysql.sock"],
			...["--bind-address=127.0.0.1", "--skip-log-bin", "--log-warnings=2"],
		],
	},
	{
		name: "postgresql",
		files: {},
		prepare: `$(echo /usr/lib/postgresql/*/bin)/initdb -N -A scram-sha-256 --pwfile=/etc/hosts -D /var/db >/dev/null
			printf "listen_addresses = '127.0.0.1'\\nunix_socket_directories = ''\\nfsync = off\\n" >>/var/db/postgresql.conf`,
		command: ["/bin/sh", "-c", "exec $(echo /usr/lib/postgresql/*/bin)/postgres -D /var/db"],
	},
];
