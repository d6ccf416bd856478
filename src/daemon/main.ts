import { mkdir, readFile, rm } from "node:fs/promises";
import { parseArgs } from "node:util";
import packageJson from "../../package.json" with { type: "json" };
import { BulkheadError, explain } from "../api/errors.ts";
import { defaultState } from "../api/routes.ts";
import { detectGroupSupport } from "../host/cgroup.ts";
import { closeInherited } from "../host/descriptors.ts";
import { listIfThere, removeHalfWritten } from "../host/files.ts";
import { createLog, type Logger } from "../host/log.ts";
import { completePath } from "../host/path.ts";
import { chooseAccelerator } from "../qemu/accelerator.ts";
import { History } from "../store/history.ts";
import { IncidentStore } from "../store/incidents.ts";
import { refuseBesideAnother, stateTrouble, takeLock } from "../store/lock.ts";
import { type Paths, paths as pathsOf } from "../store/paths.ts";
import { ServerStore } from "../store/servers.ts";
import { Bulkhead } from "./bulkhead.ts";
import type { Context } from "./context.ts";
import { requireHost } from "./doctor/require.ts";
import { openApi } from "./http/server.ts";
import { ScreenReader } from "./parts/screen-reader.ts";

/** Wires everything, and runs until told to end. Sessions and front doors run on without it. */
async function main(): Promise<void> {
	closeInherited();
	completePath();
	const { values } = parseArgs({ options: { "log-level": { type: "string", default: "info" } } });
	const log = createLog(values["log-level"]);
	const paths = pathsOf(
		process.env.BULKHEAD_STATE ?? defaultState,
		process.env.BULKHEAD_CACHE ?? "/var/cache/bulkhead",
	);
	await requireHost();
	await makeFolders(paths);
	const lock = takeLock(paths.lock, paths.state);
	await refuseBesideAnother(paths.apiSocket, paths.state);
	for (const folder of [paths.state, paths.run])
		for (const err of await removeHalfWritten(folder))
			log.error({ err }, "half-written files may be left there");
	const context = await makeContext(paths, log);
	tellUnknown(context);
	const bulkhead = new Bulkhead(context);
	await bulkhead.reconcile();
	const app = await openApi(bulkhead, context, { version: packageJson.version, startedAt: Date.now() });
	say(context, `Daemon ${process.pid} works on ${paths.state} (${context.acceleration.accelerator})`);
	const signal = await endSignal();
	say(context, `Daemon ${process.pid} ends on ${signal}; sessions run on`);
	await app.close();
	await bulkhead.leave();
	await context.history.close();
	await rm(paths.apiSocket, { force: true });
	// Also a server that could not be supervised may have a session, with its sockets there.
	if ((await listIfThere(paths.servers)).length === 0) await rm(paths.run, { recursive: true, force: true });
	lock.release();
}

async function makeFolders(paths: Paths): Promise<void> {
	try {
		for (const folder of [paths.state, paths.servers]) await mkdir(folder, { recursive: true, mode: 0o755 });
	} catch (error) {
		throw stateTrouble(paths.state, error);
	}
	for (const folder of [paths.run, paths.runSessions, paths.runDoors, paths.runNames])
		await mkdir(folder, { recursive: true, mode: 0o755 });
}

async function makeContext(paths: Paths, log: Logger): Promise<Context> {
	return {
		paths,
		log,
		groups: detectGroupSupport(),
		acceleration: await chooseAccelerator(paths.run),
		history: await openHistory(paths, log),
		incidents: new IncidentStore(paths, log),
		servers: new ServerStore(paths),
		screens: new ScreenReader(),
		bootId: (await readFile("/proc/sys/kernel/random/boot_id", "utf8")).trim(),
	};
}

/** Events are for looking back: neither a damaged file of them nor a full disk keeps a server from running. */
async function openHistory({ history: file }: Paths, log: Logger): Promise<History> {
	return await History.openOrBegin(file, {
		onFailure: (error) => log.error({ err: error }, "events cannot be kept"),
		onMoved: (error, aside) =>
			log.error({ err: error, aside }, "the history is damaged; it is moved aside, and a new one begins"),
		onMemory: (error) =>
			log.error(
				{ err: error },
				`${file} cannot be opened (is its disk full?): events are in memory alone until the daemon is started anew`,
			),
	});
}

function say({ history, log }: Context, text: string): void {
	history.append({ at: Date.now(), server: null, session: null, kind: "daemon", text });
	log.info(text);
}

/** Nobody is to wonder why all servers are slow. */
function tellUnknown(context: Context): void {
	const { isKnown, why } = context.acceleration;
	if (!isKnown)
		say(
			context,
			`Servers run without hardware virtualization until the daemon is started anew, and seals that were made with it fit no more: ${why}`,
		);
}

async function endSignal(): Promise<string> {
	const { promise, resolve } = Promise.withResolvers<string>();
	for (const signal of ["SIGTERM", "SIGINT"] as const) process.once(signal, () => resolve(signal));
	return await promise;
}

try {
	await main();
	process.exit(0);
} catch (error) {
	process.stderr.write(`bulkhead: ${explain(error)}\n`);
	if (!(error instanceof BulkheadError)) console.error(error);
	process.exit(1);
}
