import { Resolver } from "node:dns/promises";
import { access, rm } from "node:fs/promises";
import { controllerPorts } from "../../api/domain.ts";
import { BulkheadError } from "../../api/errors.ts";
import { CommandError } from "../../host/command.ts";
import { askControllers, isWhole, services } from "../member/controllers.ts";
import { netAds } from "../member/tools.ts";
import { furnish } from "../member/view.ts";

const program = "/usr/bin/net";
const answersWithinMs = 3000;

/** What a domain controller says of itself to whoever asks. */
export interface ControllerIdentity {
	/** In capitals. */
	realm: string;
	/** What its domain is called for short. */
	workgroup: string;
	/** What the domain is known by whatever it is called. */
	domainId: string;
	/** Its own name, as in dc1.ad.example.com. */
	host: string;
}

/**
 * Asks a controller who it is, as a member looks for one: by CLDAP ([MS-ADTS] 6.3.3). Nobody's password is needed.
 * @param scratch a folder that is there for as long as this runs
 * @throws BulkheadError host-lacks, bad-input when it does not answer, or is no controller
 */
export async function identify(
	scratch: string,
	realm: string,
	address: string,
	signal: AbortSignal,
): Promise<ControllerIdentity> {
	await access(program).catch(() => {
		const mend = "as root: apt-get install --no-install-recommends samba-common-bin";
		throw new BulkheadError("host-lacks", `${program} is missing, by which controllers are asked; ${mend}`);
	});
	await requireAnswers(address, signal);
	try {
		const nobody = { name: "BULKHEAD", joinedAt: 0, logins: false, allowed: null, admins: null, dns: null };
		const member = { realm, workgroup: "WORKGROUP", controllers: [address], ...nobody };
		await furnish(scratch, member, [address]);
		const said = await netAds(scratch, ["lookup"], { server: address, deadlineMs: 10_000, signal });
		const identity = identityIn(said);
		if (identity) return identity;
		throw new BulkheadError("bad-input", `what ${address} says of its domain cannot be read`);
	} catch (error) {
		if (!(error instanceof CommandError)) throw error;
		throw new BulkheadError("bad-input", `${address} answers, and is no domain controller`, { cause: error });
	} finally {
		await rm(scratch, { recursive: true, force: true, maxRetries: 10 });
	}
}

/** @returns the addresses that the domain's clients are told, who ask a controller for its own name; none when it has none */
export async function addressesInDns(host: string, controller: string): Promise<string[]> {
	const resolver = new Resolver({ timeout: answersWithinMs, tries: 2 });
	resolver.setServers([controller.includes(":") ? `[${controller}]` : controller]);
	// Whatever it says instead (no such name, refused, nothing at all): it tells nobody an address.
	return await resolver.resolve4(host).catch(() => []);
}

async function requireAnswers(address: string, signal: AbortSignal): Promise<void> {
	const [health] = await askControllers([address], answersWithinMs, signal);
	signal.throwIfAborted();
	if (!health || isWhole(health)) return;
	const silent = services.filter((service) => !health.answers.includes(service));
	const words = silent.map((service) => `${service} (${controllerPorts[service]})`).join(", ");
	throw new BulkheadError("bad-input", `${address} does not answer ${words}`);
}

/** @param text what `net ads lookup` has said; pure */
export function identityIn(text: string): ControllerIdentity | undefined {
	const field = (name: string, is: RegExp) => {
		const value = new RegExp(`^${name}: *(\\S+)\\s*$`, "m").exec(text)?.[1] ?? "";
		return is.test(value) ? value : undefined;
	};
	const realm = field("Domain", /^[A-Za-z0-9.-]{1,255}$/);
	const workgroup = field("Pre-Win2k Domain", /^[A-Za-z0-9-]{1,15}$/);
	const domainId = field("GUID", /^[0-9a-f-]{36}$/i);
	const host = field("Domain Controller", /^[A-Za-z0-9.-]{1,255}$/);
	if (realm === undefined || workgroup === undefined || domainId === undefined || host === undefined)
		return undefined;
	return { realm: realm.toUpperCase(), workgroup: workgroup.toUpperCase(), domainId, host };
}
