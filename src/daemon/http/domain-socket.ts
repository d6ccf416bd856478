import { once } from "node:events";
import { chmod, chown, mkdir, realpath, rename, rm, stat } from "node:fs/promises";
import type { Server as HttpServer } from "node:http";
import { createServer, type Server, type Socket } from "node:net";
import { dirname, join } from "node:path";
import { BulkheadError } from "../../api/errors.ts";

const listensWithinMs = 5000;
/** Whoever has ended it by a command still gets that command's answer. */
const farewellMs = 2000;

/**
 * A second way to the API, for one group that the host's own files do not know. The kernel lets in who has the group's number;
 * nobody else, and root.
 */
export class DomainSocket {
	readonly #path: string;
	#api: HttpServer | undefined;
	#listener: Server | undefined;
	readonly #connections = new Set<Socket>();

	constructor(path: string) {
		this.#path = path;
	}

	get #making(): string {
		return `${this.#path}.new`;
	}

	/** From now on it can be opened, for this server. What an earlier daemon left is taken away. */
	async serve(api: HttpServer): Promise<void> {
		for (const path of [this.#path, this.#making]) await rm(path, { recursive: true, force: true });
		this.#api = api;
	}

	/** @throws BulkheadError not-allowed-now when a folder on the way to it does not let its users through */
	async requireWay(): Promise<void> {
		let folder = await realpath(dirname(this.#path));
		for (;;) {
			if (((await stat(folder)).mode & 0o001) === 0)
				throw new BulkheadError(
					"not-allowed-now",
					`adminGroup: its members cannot get to ${this.#path}; as root: chmod o+x ${folder}`,
				);
			if (folder === "/") return;
			folder = dirname(folder);
		}
	}

	/** Whether it is there, for this group and nobody else. */
	async isOpen(gid: number): Promise<boolean> {
		if (!this.#listener) return false;
		const found = await stat(this.#path).catch(() => undefined);
		return found?.isSocket() === true && found.gid === gid && (found.mode & 0o7777) === 0o660;
	}

	/** Opens it for a group; before there is a server, it does nothing. @throws BulkheadError as `requireWay`, Error; then it is closed */
	async open(gid: number): Promise<void> {
		await this.close();
		if (!this.#api) return;
		await this.requireWay();
		// Made where nobody else comes, so that it never is there for more than the group.
		const making = this.#making;
		const made = join(making, "s");
		await rm(making, { recursive: true, force: true });
		await mkdir(making, { mode: 0o700 });
		const listener = createServer({ allowHalfOpen: true }, (connection) => this.#take(connection));
		try {
			const listening = once(listener, "listening", { signal: AbortSignal.timeout(listensWithinMs) });
			listener.listen(made);
			await listening;
			await chown(made, 0, gid);
			await chmod(made, 0o660);
			await rename(made, this.#path);
			// Whoever could not be let in comes again.
			listener.on("error", () => {});
			this.#listener = listener;
		} catch (error) {
			listener.close();
			throw error;
		} finally {
			await rm(making, { recursive: true, force: true });
		}
	}

	/** Nobody comes in by it any more, and who has come in is cut off. @param afterMs time for answers that are due */
	async close(afterMs = farewellMs): Promise<void> {
		const cut = await this.shut();
		cut(afterMs);
	}

	/**
	 * Nobody comes in by it any more.
	 * @returns what cuts off who has come in before, to be called when all is done that an answer is due for; takes the time for answers
	 */
	async shut(): Promise<(afterMs?: number) => void> {
		const listener = this.#listener;
		this.#listener = undefined;
		if (!listener) return () => {};
		listener.close();
		await rm(this.#path, { force: true });
		const connections = [...this.#connections];
		const cut = () => {
			for (const connection of connections) connection.destroy();
		};
		return (afterMs = farewellMs) => {
			if (afterMs === 0) cut();
			else setTimeout(cut, afterMs).unref();
		};
	}

	#take(connection: Socket): void {
		this.#connections.add(connection);
		connection.once("close", () => this.#connections.delete(connection));
		this.#api?.emit("connection", connection);
	}
}
