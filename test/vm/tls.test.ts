import { beforeAll, describe, expect, test } from "vitest";
import type { Fault, ServerView } from "../../src/api/server.ts";
import { editDisk } from "./edit-disk.ts";
import { freePort, instanceForTests, report } from "./harness.ts";
import { type Handshake, shakeHands } from "./tls-client.ts";

/**
 * Sessions of one seal, with two nginx that were running when it was made: that of the template, which wake.d starts anew,
 * and a second one, which nobody tells. What the second one shows is the danger, and that this test would see it.
 * (OpenSSL's generator takes a new seed by itself after seven minutes; all of this is over long before.)
 */
const bulkhead = instanceForTests();
const { client } = bulkhead;
const server = "shop";
/** Ports of the host, through the front door. */
const ports = { restarted: 0, left: 0 };
type Which = keyof typeof ports;

/** What a session's visitors see: the first connections that it gets, always of the same kinds in the same order. */
interface Seen {
	session: number;
	handshakes: Record<Which, Handshake[]>;
}
const seen: Seen[] = [];

const versions = ["TLSv1.3", "TLSv1.2", "TLSv1.3", "TLSv1.2"] as const;
const isReady = ({ session }: ServerView) => session?.readyAt !== null;
const isSealed = ({ warm }: ServerView) => warm?.seal === "ready";
const standsBy = ({ warm }: ServerView) => warm?.seal === "ready" && warm.standbys === 1;

/** Ends the session, and connects to the next one. */
async function nextSession(fault: Fault): Promise<Seen> {
	const before = (await bulkhead.until(server, "running", standsBy)).session?.number ?? 0;
	await client.call("drill", { server }, { fault });
	const session = await bulkhead.untilNext(server, before);
	expect(session.from).toBe("seal");
	const handshakes: Seen["handshakes"] = { restarted: [], left: [] };
	for (const version of versions) {
		for (const which of ["left", "restarted"] as const) {
			handshakes[which].push(await shakeHands(ports[which], version));
		}
	}
	return { session: session.number, handshakes };
}

beforeAll(async () => {
	ports.restarted = await freePort();
	ports.left = await freePort();
	await bulkhead.apply({
		name: "tls",
		segments: { lab: { subnet: "10.93.0.0/24" } },
		servers: {
			[server]: {
				template: "debian-web",
				system: { disk: "disposable" },
				network: { segment: "lab", address: "10.93.0.10" },
				recovery: { mode: "warm", standby: 1 },
				publish: [
					{ service: "https", to: "host", listen: ports.restarted },
					{ service: "left", port: 4443, to: "host", listen: ports.left },
				],
				start: "manual",
			},
		},
	});
	await addSecondNginx(bulkhead.paths.server(server).disk("system"));
	await client.call("start", { server }, null);
	// Two boots of a Debian, one after the other: each has a deadline of its own.
	for (const step of [isReady, isSealed]) await bulkhead.until(server, "running", step);
	seen.push(await nextSession("kill"), await nextSession("panic"));
	for (const { session, handshakes } of seen) {
		const figures = ({ random, ticketKey, share }: Handshake) => ({ random, ticketKey, share });
		report(`session ${session}`, {
			restarted: handshakes.restarted.map(figures),
			left: handshakes.left.map(figures),
		});
	}
});

const all = (which: Which) => seen.map(({ handshakes }) => handshakes[which]);
const ticketKeys = (handshakes: readonly Handshake[] = []) =>
	new Set(handshakes.flatMap(({ ticketKey }) => ticketKey ?? []));
const allTicketKeys = (which: Which) => new Set(all(which).flatMap((own) => [...ticketKeys(own)]));

describe("two sessions of one seal", () => {
	test("are those of one server: its own certificate, and each answers with its number", () => {
		expect(
			new Set(
				all("restarted")
					.flat()
					.map(({ certificate }) => certificate),
			).size,
		).toBe(1);
		for (const { session, handshakes } of seen) {
			for (const { answer } of handshakes.restarted) expect(answer).toContain(`session=${session} `);
		}
	});

	test("have no TLS random in common, and no key that was made for one connection", () => {
		const handshakes = all("restarted").flat();
		expect(handshakes).toHaveLength(2 * versions.length);
		expect(new Set(handshakes.map(({ random }) => random)).size).toBe(handshakes.length);
		const shares = handshakes.flatMap(({ share }) => share ?? []);
		expect(shares).toHaveLength(versions.length);
		expect(new Set(shares).size).toBe(shares.length);
	});

	test("have each a session ticket key of its own, and do not take each other's tickets", async () => {
		for (const own of all("restarted")) expect(ticketKeys(own).size).toBe(1);
		expect(allTicketKeys("restarted").size).toBe(2);
		const [before, now] = all("restarted").map((own) => own.find(({ ticketKey }) => ticketKey)?.session);
		expect(await shakeHands(ports.restarted, "TLSv1.2", now)).toMatchObject({ resumed: true });
		expect(await shakeHands(ports.restarted, "TLSv1.2", before)).toMatchObject({ resumed: false });
	});
});

describe("an nginx that was not started anew", () => {
	test("has the same session ticket key in both, and takes the other session's tickets", async () => {
		expect(allTicketKeys("left").size).toBe(1);
		const before = all("left")[0]?.find(({ ticketKey }) => ticketKey)?.session;
		expect(await shakeHands(ports.left, "TLSv1.2", before)).toMatchObject({ resumed: true });
	});

	test("begins both with the same TLS random and the same key for one connection", () => {
		const [one, other] = all("left").map(([first]) => first);
		expect(one?.random).toBe(other?.random);
		expect(one?.share).toBeDefined();
		expect(one?.share).toBe(other?.share);
	});
});

/**
 * Adds a second nginx to a system disk that no session has been started from: on port 4443, used once before it counts
 * as started (so that its random generator has a state), and in no script of `wake.d`.
 */
async function addSecondNginx(disk: string): Promise<void> {
	const unit = "/etc/systemd/system/second.service";
	const files = { "/etc/nginx/second.conf": secondSettings, [unit]: secondUnit };
	const wanted = "/etc/systemd/system/multi-user.target.wants/second.service";
	await editDisk(disk, files, { after: [`symlink ${wanted} ${unit}`] });
}

const secondSettings = `
user www-data;
pid /run/second.pid;
events {}
http {
  access_log off;
  server {
    listen 4443 ssl;
    ssl_certificate /etc/nginx/tls/server.crt;
    ssl_certificate_key /etc/nginx/tls/server.key;
    ssl_protocols TLSv1.2 TLSv1.3;
    root /run/bulkhead/www;
  }
}
`;

const secondUnit = `
[Unit]
DefaultDependencies=no
After=nginx.service

[Service]
Type=forking
PIDFile=/run/second.pid
ExecStart=/usr/sbin/nginx -c /etc/nginx/second.conf
ExecStartPost=/bin/sh -c "echo | timeout 20 openssl s_client -connect 127.0.0.1:4443"
`;
