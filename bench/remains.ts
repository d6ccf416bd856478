import { readdir } from "node:fs/promises";
import { ControlGroup, detectGroupSupport, listGroups } from "../src/host/cgroup.ts";
import { instanceTag } from "../src/store/paths.ts";

/** Not all could be put away. It is told also of a run that was interrupted. */
export class LeftBehind extends Error {
	override name = "LeftBehind";
}

/** Whether an error is that, or another that came of it or with it (SuppressedError). */
export function tellsOfRemains(error: unknown): boolean {
	if (!(error instanceof Error)) return false;
	if (error instanceof LeftBehind) return true;
	const { cause, error: later, suppressed } = error as Error & { error?: unknown; suppressed?: unknown };
	return [cause, later, suppressed].some(tellsOfRemains);
}

/** Where daemons leave things on a host. */
const places = { namespaces: "/run/netns", run: "/run", groups: detectGroupSupport() };

/** @returns names of what daemons that worked on `state` left on the host */
export async function leftBehind(
	state: string,
	{ namespaces, run, groups }: typeof places = places,
): Promise<string[]> {
	const tag = instanceTag(state);
	const own = `bulkhead-${tag}`;
	const names = async (folder: string, wanted: (name: string) => boolean) =>
		(await readdir(folder).catch(() => [])).filter(wanted);
	const inside = (await listGroups(own, groups)).map((name) => `${own}/${name}`);
	// Those of a membership of a domain are beside that of the servers.
	const beside = (await listGroups("", groups)).filter((name) => name.startsWith(`${own}-`));
	const left = [...inside, ...beside].map(async (group) => [
		`control group ${group}`,
		...(await ControlGroup.at(group, groups).pids()).map((pid) => `process ${pid}`),
	]);
	return [
		...(await names(namespaces, (name) => name.startsWith(`bh-${tag}-`))),
		...(await names(run, (name) => name === own)),
		...(await Promise.all(left)).flat(),
	];
}
