# Files of a host of its own, with Debian's packages for logins by domain users, in a mount namespace: sh this FOLDER
set -e
folder=$1
mount --make-rslave /
mount -t tmpfs none "$folder"
for name in etc usr var home root; do
	mkdir "$folder/$name" "$folder/$name.work"
	mount -t overlay overlay -o "lowerdir=/$name,upperdir=$folder/$name,workdir=$folder/$name.work" "/$name"
done
mkdir "$folder/netns"
mount --rbind /run/netns "$folder/netns"
mount -t tmpfs -o mode=755 none /run
mkdir /run/netns /run/lock /run/sshd
mount --rbind "$folder/netns" /run/netns
printf '#!/bin/sh\nexit 101\n' > /usr/sbin/policy-rc.d
chmod 755 /usr/sbin/policy-rc.d
export DEBIAN_FRONTEND=noninteractive
apt-get update -qq
apt-get install -y -q --no-install-recommends libnss-winbind libpam-winbind openssh-server sshpass systemd-resolved dbus acl attr
# Its package makes it a link to systemd-resolved's, which runs in its own test alone.
rm /etc/resolv.conf
echo 'nameserver 192.0.2.53' > /etc/resolv.conf
# So that it is seen to be put there, and taken away.
sed -i 's/ winbind$//' /etc/nsswitch.conf
useradd --create-home carol
echo 'carol:Car0l-Passw0rd' | chpasswd
touch "$folder/ready"
exec sleep infinity
