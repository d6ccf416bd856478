# Files of a host of its own, with Debian's packages for logins by domain users: sh this FOLDER
set -e
. "$(dirname "$0")/../../bench/domain/own-files.sh"
own_files "$1"
install_packages libnss-winbind libpam-winbind openssh-server sshpass systemd-resolved dbus acl attr
# Its package makes it a link to systemd-resolved's, which runs in its own test alone.
rm /etc/resolv.conf
echo 'nameserver 192.0.2.53' > /etc/resolv.conf
# So that it is seen to be put there, and taken away.
sed -i 's/ winbind$//' /etc/nsswitch.conf
useradd --create-home carol
echo 'carol:Car0l-Passw0rd' | chpasswd
touch "$folder/ready"
exec sleep infinity
