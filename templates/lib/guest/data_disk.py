"""Waits for a data disk and mounts it. For programs that run before their disk comes: when the kernel says that there is a
new disk, users are waiting, and what has to be loaded by then should be."""

import ctypes
import os
import socket
import sys

# From <linux/netlink.h>: the kernel's own messages about devices, of which group 1 has all.
NETLINK_KOBJECT_UEVENT = 15
# From <sys/mount.h>.
MS_NOATIME = 1024

libc = ctypes.CDLL(None, use_errno=True)


def serial_of(disk):
    """Serial number of a disk, or "". On SCSI there are four bytes before it, of which the last is its length."""
    try:
        with open(f"/sys/block/{disk}/device/vpd_pg80", "rb") as file:
            return file.read()[4:].decode("ascii", "replace").strip()
    except OSError:
        pass
    try:
        with open(f"/sys/block/{disk}/serial", encoding="ascii", errors="replace") as file:
            return file.read().strip()
    except OSError:
        return ""


def find(name):
    return next((disk for disk in os.listdir("/sys/block") if disk[:2] in ("sd", "vd") and serial_of(disk) == name), None)


def wait_for(name):
    """Listens before it looks: a disk that comes in between is found by one or the other."""
    with socket.socket(socket.AF_NETLINK, socket.SOCK_DGRAM, NETLINK_KOBJECT_UEVENT) as kernel:
        kernel.bind((0, 1))
        while True:
            disk = find(name)
            if disk:
                return disk
            while True:
                try:
                    message = kernel.recv(8192)
                except OSError:
                    # Some messages were lost: then one looks.
                    break
                if message.startswith(b"add@") and b"\0SUBSYSTEM=block\0" in message:
                    break


def mount(name, place):
    """Mounts the disk with this serial number, as soon as it is there. Returns whether it was not mounted before."""
    disk = wait_for(name)
    os.makedirs(place, exist_ok=True)
    if os.path.ismount(place):
        return False
    if libc.mount(f"/dev/{disk}".encode(), place.encode(), b"ext4", MS_NOATIME, None) != 0:
        sys.exit(f"the data disk {name} could not be mounted: {os.strerror(ctypes.get_errno())}")
    return True
