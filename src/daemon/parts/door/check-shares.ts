import { doorShares, usualShareOf } from "../../../network/pace.ts";
import type { ServicePlan } from "../../../network/plan.ts";

/**
 * Which ports the health checks of a server's front doors come from: two of one port of the server have never the same, or
 * each would take the other's, and the service would be called down. A front door keeps its share for as long as it is there:
 * with another it would have to be begun anew, and its users with it.
 */
export class CheckShares {
	/** By ports of the host. */
	private readonly given = new Map<number, { port: number; share: number }>();

	/** @param wanted the share of a front door that runs already */
	of({ listen, port }: ServicePlan, wanted = usualShareOf(listen)): number {
		const own = this.given.get(listen);
		if (own?.port === port) return own.share;
		const share = freeFrom(wanted, this.takenOf(listen, port));
		this.given.set(listen, { port, share });
		return share;
	}

	forget(listen: number): void {
		this.given.delete(listen);
	}

	private takenOf(listen: number, port: number): Set<number> {
		const others = [...this.given].filter(([other, one]) => other !== listen && one.port === port);
		return new Set(others.map(([, { share }]) => share));
	}
}

/** When all are taken, two have one. */
function freeFrom(wanted: number, taken: ReadonlySet<number>): number {
	const all = Array.from({ length: doorShares }, (_, i) => (wanted + i) % doorShares);
	return all.find((share) => !taken.has(share)) ?? wanted;
}
