import type { ServerDefinition } from "../../src/api/site.ts";
import type { Mode } from "../recovery/bulkhead.ts";
import type { Protocol } from "./clients/protocol.ts";

/** Where the guest of the benches that need several services is, in `benchSite`. */
export const servicesAddress = "10.78.0.20";

/** A server made from the template debian-services, started by hand, whose services are let out to the host. */
export function servicesServer(
	mode: Mode,
	services: readonly (Pick<Protocol, "service" | "listen"> & { health?: "none" })[],
): ServerDefinition {
	const budget = { attempts: 100, within: "1h" };
	return {
		template: "debian-services",
		start: "manual",
		network: { segment: "bench", address: servicesAddress },
		publish: services.map(({ service, listen, health }) => ({
			...{ service, to: "host", listen },
			...(health && { health }),
		})),
		recovery: mode === "warm" ? { mode, standby: 1, budget } : { mode, budget },
	};
}
