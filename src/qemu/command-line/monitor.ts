import { inside } from "../hardware.ts";

/** Monitor and serial console. The console's log is opened for appending, so that it can be cut while QEMU writes. */
export function monitorArguments(): string[] {
	return [
		...["-chardev", `socket,id=qmp,path=${inside.qmp},server=on,wait=off`],
		...["-mon", "chardev=qmp,mode=control"],
		...[
			"-chardev",
			`socket,id=console,path=${inside.serial},server=on,wait=off,logfile=${inside.console},logappend=on`,
		],
		...["-serial", "chardev:console"],
	];
}
