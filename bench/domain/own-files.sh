# Files of a host of its own, in a mount namespace of its own, on top of this machine's. Sourced.

# What is written below these is in FOLDER, and gone with it; what is KEPT stays this machine's.
own_files() { # FOLDER KEPT...
	folder=$1
	shift
	mount --make-rslave /
	mount -t tmpfs none "$folder"
	for path in /run/netns "$@"; do
		mkdir -p "$folder/kept$path"
		mount --rbind "$path" "$folder/kept$path"
	done
	for name in etc usr var home root; do
		mkdir "$folder/$name" "$folder/$name.work"
		mount -t overlay overlay -o "lowerdir=/$name,upperdir=$folder/$name,workdir=$folder/$name.work" "/$name"
	done
	mount -t tmpfs -o mode=755 none /run
	mkdir /run/lock /run/sshd
	for path in /run/netns "$@"; do
		mkdir -p "$path"
		mount --rbind "$folder/kept$path" "$path"
	done
}

# With the machine's own lists where they will do: fetching others takes half of the time.
install_packages() { # PACKAGE...
	printf '#!/bin/sh\nexit 101\n' > /usr/sbin/policy-rc.d
	chmod 755 /usr/sbin/policy-rc.d
	export DEBIAN_FRONTEND=noninteractive
	apt-get install -y -q --no-install-recommends "$@" && return
	apt-get update -qq
	apt-get install -y -q --no-install-recommends "$@"
}
