export const wayNames = ["warm", "cold", "libvirt"] as const;
/** A way to have a server again after its kernel has panicked. */
export type WayName = (typeof wayNames)[number];

export const wayTitles = {
	warm: "Bulkhead, warm",
	cold: "Bulkhead, cold",
	libvirt: "libvirt, on_crash=restart",
} as const satisfies Record<WayName, string>;

/** Where a client reaches the server. */
export interface Target {
	host: string;
	port: number;
	/** The network namespace that a client has to be in; none for the host's own. */
	namespace?: string;
}

/** The same guest, kept running in one way. Only one of them runs at a time. */
export interface Way {
	readonly name: WayName;
	readonly target: Target;
	/** Starts the server, and waits until it serves and is as prepared for a failure as it will ever be. */
	begin(signal: AbortSignal): Promise<void>;
	/** Makes the guest's kernel panic. @returns when that was begun, on the clock of `hostNow` */
	panic(): Promise<number>;
	/** Waits until the server, which answers again, is prepared for the next failure. */
	ready(signal: AbortSignal): Promise<void>;
	/** Stops the server. */
	end(): Promise<void>;
}
