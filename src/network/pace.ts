/**
 * How many new connections to one service of a guest its front doors may begin in a second. Thousands that wait for a
 * server are tried again every 100 ms each. All at once they overflow what its kernel remembers of those that begin, which
 * answers with SYN cookies then, and resets what it has answered twice (seen with Linux 6.1). Those that come too early
 * are dropped, and tried again like those that meet silence.
 */
export const pace = { perSecond: 2000, burst: 5000 } as const;

/**
 * Ports of the sandbox's own address that health checks come from, which are let through at once: below those that the
 * kernel gives to others (`ip_local_port_range`).
 */
export const checkPorts = { first: 20_000, last: 29_989 } as const;
/** Front doors of one port of a guest that can have a share of their own. */
export const doorShares = 36;

/** The share of a front door as long as no other of that port of the guest has it. @param listen its port on the host */
export function usualShareOf(listen: number): number {
	return listen % doorShares;
}

/**
 * The ports of one share, which HAProxy uses in turn. Two front doors of one service of a guest would take them from each other.
 * Services that are only watched may be those of a front door as well, and have one for themselves.
 */
export function checkPortsOf(share: number | "watched"): { first: number; last: number } {
	const each = (checkPorts.last - checkPorts.first + 1) / (doorShares + 1);
	const first = checkPorts.first + each * (share === "watched" ? doorShares : share);
	return { first, last: first + each - 1 };
}
