import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { chmod, mkdir, writeFile } from "node:fs/promises";
import { connect, createServer, type Server } from "node:net";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { run } from "../../src/host/command.ts";
import { suite } from "./installer-packages.ts";
import { hostProxy, type Mirror } from "./mirror.ts";
import { cable, outside } from "./places.ts";

const relayProgram = fileURLToPath(new URL("relay.ts", import.meta.url));
const listensWithinMs = 20_000;
/** The package's own user, who may nothing. */
const user = "apt-cacher-ng";
/** On this machine's loopback, beside its own one on 3142. */
const port = 31_420;

/**
 * An apt proxy for one server: apt-cacher-ng with a configuration and a cache of its own, which gives out what is on the
 * mirror and nothing else, and a relay to it in the only place that the server is let out to.
 *
 *   server ─ outbound: ─▶ relay (network of the place) ─▶ Unix socket ─▶ apt-cacher-ng (this machine's network) ─▶ mirror
 */
export class AptProxy implements AsyncDisposable {
	/** As the server names it. */
	readonly url = `http://${cable.proxy}:${cable.proxyPort}/`;
	private readonly children: ChildProcess[] = [];
	private bridge: Server | undefined;

	/** @param packages folder of the installer's own suite. @throws Error when it does not listen in time */
	static async start(mirror: Mirror, packages: string, folder: string): Promise<AptProxy> {
		const proxy = new AptProxy();
		try {
			await proxy.cacher(mirror, folder);
			await proxy.relay(packages, folder);
			return proxy;
		} catch (error) {
			await proxy[Symbol.asyncDispose]();
			throw error;
		}
	}

	async [Symbol.asyncDispose](): Promise<void> {
		this.bridge?.close();
		for (const child of this.children) {
			if (child.exitCode !== null || child.signalCode !== null) continue;
			child.kill("SIGKILL");
			await once(child, "exit");
		}
	}

	private async cacher({ url }: Mirror, folder: string): Promise<void> {
		const { host, pathname } = new URL(url);
		const own = (name: string) => join(folder, name);
		for (const name of ["cache", "log", "conf"]) await mkdir(own(name), { recursive: true });
		await run("chown", [user, own("cache"), own("log")], { deadlineMs: 10_000 });
		await chmod(folder, 0o755);
		const upstream = await hostProxy();
		const lines = [
			...[`CacheDir: ${own("cache")}`, `LogDir: ${own("log")}`, "SupportDir: /usr/lib/apt-cacher-ng"],
			...[`Port: ${port}`, "BindAddress: 127.0.0.1", "ForeGround: 1"],
			// What is not of the mirror is refused.
			...["ForceManaged: 1", `Remap-mirror: ${host}${pathname} ; ${url}`],
			...(upstream === undefined ? [] : [`Proxy: ${upstream}`]),
		];
		await writeFile(join(own("conf"), "acng.conf"), `${lines.join("\n")}\n`);
		const as = ["--reuid", user, "--regid", user, "--clear-groups", "--pdeathsig", "KILL"];
		this.begin("setpriv", [...as, "apt-cacher-ng", "-c", own("conf")]);
		const end = performance.now() + listensWithinMs;
		while (!(await takesConnections())) {
			if (performance.now() > end) throw new Error(`apt-cacher-ng does not listen on 127.0.0.1:${port}`);
			await delay(100);
		}
	}

	/** A Unix socket leads from the one network into the other. */
	private async relay(packages: string, folder: string): Promise<void> {
		const socket = join(folder, "bridge.sock");
		const bridge = createServer((inner) => {
			const outer = connect(port, "127.0.0.1");
			inner.pipe(outer).pipe(inner);
			inner.on("error", () => outer.destroy());
			outer.on("error", () => inner.destroy());
		});
		this.bridge = bridge;
		bridge.listen(socket);
		await once(bridge, "listening");
		await chmod(socket, 0o666);
		const as = ["--reuid", "nobody", "--regid", "nogroup", "--clear-groups", "--pdeathsig", "KILL"];
		const words = [String(cable.proxyPort), socket, suite, packages];
		const child = this.begin("nsenter", [
			...[`--net=/run/netns/${outside}`, "--", "setpriv", ...as],
			...[process.execPath, "--disable-warning=ExperimentalWarning", relayProgram, ...words],
		]);
		await once(child.stdout ?? child, "data", { signal: AbortSignal.timeout(listensWithinMs) });
	}

	private begin(file: string, args: readonly string[]): ChildProcess {
		const child = spawn(file, args, { stdio: ["ignore", "pipe", "inherit"] });
		this.children.push(child);
		return child;
	}
}

async function takesConnections(): Promise<boolean> {
	const socket = connect(port, "127.0.0.1");
	return await once(socket, "connect", { signal: AbortSignal.timeout(1000) })
		.then(
			() => true,
			() => false,
		)
		.finally(() => socket.destroy());
}
