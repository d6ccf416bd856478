/** QEMU refused a command. */
export class QmpError extends Error {
	override readonly name = "QmpError";
	/** QMP's error class, mostly GenericError. */
	readonly kind: string;
	constructor(command: string, kind: string, description: string) {
		super(`QEMU refused ${command}: ${description}`);
		this.kind = kind;
	}
}

/** The connection to QEMU's monitor has ended. */
export class QmpGone extends Error {
	override readonly name = "QmpGone";
}
