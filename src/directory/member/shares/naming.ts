import { netAds } from "../tools.ts";

const deadlineMs = 15_000;

/** Addresses by which others than this host itself reach it. */
function outerOf(addresses: readonly string[]): string[] {
	return addresses.filter((address) => !/^(127\.|::1$)/.test(address));
}

/**
 * Has the domain's DNS know the host at these addresses, as the host itself: tickets are for names, so that nobody would
 * get one for it otherwise. @param host as host1.ad.example.com. @throws CommandError when the domain does not let it
 */
export async function nameHost(folder: string, host: string, addresses: readonly string[]): Promise<void> {
	const outer = outerOf(addresses);
	if (outer.length === 0) return;
	await netAds(folder, ["dns", "register", host, ...outer], { asHost: true, deadlineMs });
}

/** Has it forget the host. @throws CommandError */
export async function unnameHost(folder: string, host: string): Promise<void> {
	await netAds(folder, ["dns", "unregister", host], { asHost: true, deadlineMs });
}
