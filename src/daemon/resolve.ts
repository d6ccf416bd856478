import { gatewayOf, parseSubnet } from "../api/addresses.ts";
import type { PublishedView } from "../api/server.ts";
import type { ServerDefinition } from "../api/site.ts";
import { parseDuration, parseSize } from "../api/units.ts";
import { macOf, type PortPlan, type ServicePlan } from "../network/plan.ts";
import type { Hardware } from "../qemu/hardware.ts";
import { inside } from "../qemu/hardware.ts";
import type { Policy } from "../session/supervisor.ts";
import { instanceTag } from "../store/paths.ts";
import type { StoredServer } from "../store/servers.ts";

/**
 * From what is kept of a server to what each part needs to know of it. Pure, so that it can be read and tested.
 */

/** Far above what Debian, systemd and container tools hand out (systemd's docs/UIDS-GIDS), below 2^31. */
const firstUid = 1_900_000_000;
const uidsEach = 1000;

/** Daemons beside each other on one host have users of their own. */
export function firstUidOf(state: string): number {
	const tag = instanceTag(state);
	return firstUid + (tag === "" ? 0 : 1 + (Number.parseInt(tag, 16) % 100_000)) * uidsEach;
}

/** Users of QEMU and of the front door are apart: neither can touch the other's process or files. */
export const qemuUid = (server: StoredServer) => server.installed.uid;
export const doorUid = (server: StoredServer) => qemuUid(server) + 1;

const tapOf = (server: StoredServer) => `tap${server.installed.index}`;

export function hardwareOf(server: StoredServer, session: number, accelerator: "kvm" | "tcg"): Hardware {
	const { installed, name } = server;
	const port = portOf(server);
	const system =
		installed.systemDisk === "disposable"
			? ({ name: "system", file: `${inside.session}/system.qcow2`, keep: "throw-away" } as const)
			: ({ name: "system", file: `${inside.disks}/system.qcow2`, keep: "kept" } as const);
	const data = (server.definition.data ?? []).map(
		(disk) => ({ name: disk.name, file: `${inside.disks}/${disk.name}.qcow2`, keep: "kept" }) as const,
	);
	return {
		name: `${name}#${session}`,
		uuid: installed.uuid,
		accelerator,
		memoryBytes: memoryOf(server),
		cpus: cpusOf(server),
		boot:
			installed.boot.kind === "disk" ? installed.boot : { kind: "kernel", append: appendOf(server, session) },
		disks: [system, ...data],
		nic: port ? { tap: port.tap, mac: port.mac } : null,
		limits: {
			bytesPerSecond: parseSize(server.definition.limits?.diskBytesPerSecond ?? "") ?? 200 * 2 ** 20,
			operationsPerSecond: server.definition.limits?.diskOperationsPerSecond ?? 4000,
		},
	};
}

/** Guests made from templates learn their place from the kernel's command line. */
function appendOf(server: StoredServer, session: number): string {
	const { installed, name, subnet, definition } = server;
	const parsed = subnet === null ? undefined : parseSubnet(subnet);
	const base = installed.boot.kind === "kernel" ? installed.boot.append : "";
	const network =
		parsed && definition.network
			? [
					`bulkhead.address=${definition.network.address}/${parsed.length}`,
					`bulkhead.gateway=${gatewayOf(parsed)}`,
				]
			: [];
	return [base, ...network, `bulkhead.server=${name}`, `bulkhead.session=${session}`].join(" ");
}

export const memoryOf = (server: StoredServer) =>
	parseSize(server.definition.memory ?? "") ?? server.installed.memoryBytes;
export const cpusOf = (server: StoredServer) => server.definition.cpus ?? server.installed.cpus;

export function portOf(server: StoredServer): PortPlan | null {
	const { network } = server.definition;
	if (!network) return null;
	const { name: own, site } = server;
	const mac = macOf(site, own);
	return { server: own, ...network, mac, tap: tapOf(server), uid: qemuUid(server) };
}

/** @returns the published services, with the template's ports and health checks filled in */
export function servicesOf(
	definition: ServerDefinition,
	known: StoredServer["installed"]["services"],
): (ServicePlan | { service: string; missing: "port" })[] {
	return (definition.publish ?? []).map((publish) => {
		const template = known[publish.service];
		const port = publish.port ?? template?.port;
		if (port === undefined) return { service: publish.service, missing: "port" } as const;
		const protocol = publish.protocol ?? template?.protocol ?? (publish.service === "http" ? "http" : "tcp");
		return {
			service: publish.service,
			protocol,
			port,
			to: publish.to,
			listen: publish.listen ?? port,
			holdMs: parseDuration(publish.hold ?? "60s") ?? 60_000,
			health: protocol === "http" ? { path: template?.healthPath ?? "/" } : null,
		};
	});
}

export function completeServicesOf(server: StoredServer): ServicePlan[] {
	return servicesOf(server.definition, server.installed.services).flatMap((service) =>
		"missing" in service ? [] : [service],
	);
}

export function publishedOf(server: StoredServer): PublishedView[] {
	return completeServicesOf(server).map(({ service, protocol, port, to, listen }) => ({
		service,
		protocol,
		port,
		to,
		listen,
	}));
}

export function policyOf(server: StoredServer): Policy {
	const { recovery } = server.definition;
	return {
		server: server.name,
		hearing: {
			agent: server.installed.agent,
			services: completeServicesOf(server).map(({ service }) => service),
		},
		patience: {
			boot: parseDuration(recovery?.bootDeadline ?? "5m") ?? 300_000,
			silence: parseDuration(recovery?.silence ?? "20s") ?? 20_000,
		},
		budget: {
			attempts: recovery?.budget?.attempts ?? 5,
			withinMs: parseDuration(recovery?.budget?.within ?? "10m") ?? 600_000,
		},
	};
}
