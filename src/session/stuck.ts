/** A process that not even SIGKILL ended: it still holds its disks. */
export class StuckError extends Error {
	override readonly name = "StuckError";
	constructor(session: number) {
		super(stuckWords(session));
	}
}

export function stuckWords(session: number): string {
	const where = "it waits in the kernel, mostly for a disk; its disks stay with it until it does";
	return `a process of session ${session} does not end (${where}): look at the host's disks, then start the server`;
}
