import { chmod, mkdir, mkdtemp, rm } from "node:fs/promises";
import { createServer } from "node:http";
import { connect, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, describe, expect, test, vi } from "vitest";
import { detectGroupSupport } from "../host/cgroup.ts";
import { createLog } from "../host/log.ts";
import { paths as pathsOf } from "../store/paths.ts";
import type { Context } from "./context.ts";
import { Membership } from "./membership.ts";

afterEach(() => void vi.useRealTimers());

describe.runIf(process.getuid?.() === 0)("a membership that is ended", () => {
	test("cuts off whoever came by its socket only when it has answered, however long that took", async () => {
		const state = await mkdtemp(join(tmpdir(), "bulkhead-"));
		await chmod(state, 0o711);
		const paths = pathsOf(state, join(state, "cache"));
		// One that cannot be read: it is ended on this host alone.
		await mkdir(paths.domain, { recursive: true });
		let onTold = (_text: string) => {};
		const history = { append: ({ text }: { text: string }) => onTold(text), subscribe: () => () => {} };
		const context = { paths, history, log: createLog("silent"), groups: detectGroupSupport() };
		const membership = new Membership(context as unknown as Context, () => []);
		const accepted = Promise.withResolvers<Socket>();
		await membership.socket.serve(createServer().on("connection", accepted.resolve));
		await membership.socket.open(3_001_105);
		connect(paths.domainSocket);
		const connection = await accepted.promise;
		vi.useFakeTimers({ toFake: ["setTimeout"] });
		const cut: boolean[] = [];
		onTold = (text) => {
			if (!text.startsWith("This host has left")) return;
			// As if all of it had taken that long until here.
			vi.advanceTimersByTime(60_000);
			cut.push(connection.destroyed);
		};
		await membership.leave(null);
		vi.advanceTimersByTime(60_000);
		cut.push(connection.destroyed);
		expect(cut).toEqual([false, true]);
		vi.useRealTimers();
		await membership.end();
		await rm(state, { recursive: true, force: true });
	});
});
