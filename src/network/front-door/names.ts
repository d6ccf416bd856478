import type { DoorPlan, ServicePlan } from "../plan.ts";

/** Paths as the confined HAProxy sees them: all at the top, as bubblewrap makes folders above them for root only. */
export const inside = { config: "/haproxy.cfg", uploads: "/uploads.cfg", run: "/door" } as const;
export const adminSocket = "admin.sock";

/** Name of a service's frontend, and a part of its other sections' names: one service may be published twice. */
export function nameOf({ service, listen }: ServicePlan): string {
	return `${service}.${listen}`;
}

/** Name of the backend that only checks a service, and carries no traffic. */
export function healthNameOf(service: ServicePlan): string {
	return `health.${nameOf(service)}`;
}

/** Services that are asked whether they are well, in the order of the plan. */
export function checkedOf({ services, watched = [] }: DoorPlan): ServicePlan[] {
	return [...services, ...watched].filter(({ health }) => health !== "unchecked");
}

/** Names of the frontends whose sessions are users' own: the inner hop's too, as it is where its requests wait. */
export function trafficNamesOf(plan: DoorPlan): Set<string> {
	return new Set(plan.services.map(nameOf).flatMap((name) => [name, `once.${name}`]));
}

/** Name of the backend whose requests are asked again. */
export function repeatBackendOf(service: ServicePlan): string {
	return `repeat.${nameOf(service)}`;
}

/** Name of the backend that leads to the inner hop. */
export function hopBackendOf(service: ServicePlan): string {
	return `hop.${nameOf(service)}`;
}

/** Names of the backends whose server `guest` gets users' requests and connections. */
export function guestBackendsOf(plan: DoorPlan): string[] {
	return plan.services.flatMap((service) => {
		const name = nameOf(service);
		return service.protocol === "http" ? [repeatBackendOf(service), `once.${name}`] : [`guest.${name}`];
	});
}

/** Name of the backend that leads to where uploads are taken in, which then go to the inner hop. */
export function uploadBackendOf(service: ServicePlan): string {
	return `upload.${nameOf(service)}`;
}

/**
 * The path of the inner hop's socket: a file and no abstract one, as those can be reached from the whole namespace.
 */
export function innerSocketOf(service: ServicePlan): string {
	return `${inside.run}/${nameOf(service)}.sock`;
}
