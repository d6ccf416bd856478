import { BulkheadError } from "../../api/errors.ts";
import { checkPortsOf, usualShareOf } from "../pace.ts";
import type { DoorPlan, ServicePlan } from "../plan.ts";
import { isTalkRule, type Talk } from "../talk.ts";
import { checkEveryMs, mayHangUp } from "./health.ts";
import {
	adminSocket,
	checkedOf,
	healthNameOf,
	hopBackendOf,
	innerSocketOf,
	inside,
	nameOf,
	repeatBackendOf,
	uploadBackendOf,
} from "./names.ts";
import { trackLines } from "./traffic.ts";
import { innerAnswerMs, uploadRules, uploadServers } from "./uploads.ts";

/** Name of the ring in memory that keeps the last requests. */
export const ringName = "requests";

/**
 * Milliseconds of one attempt to connect; an attempt that is refused also takes this long. See `retries` below.
 * Shorter ones were tried: when the next session takes the guest's packets before the connections to the old one are
 * cut, few attempts are lost (longest pause 105 ms, with 50 ms 100 ms). And a guest that is only slow to accept would
 * never be reached.
 */
const attemptMs = 100;
/** Connections from outside that are served at once, all services together; more wait in the kernel's queue. */
const mostClients = 10_000;
/** Open files that HAProxy asks for with as many clients: both ends of each, twice when it goes through the inner hop, and pipes. */
export const mostFiles = 65_536;
const slowestAnswer = "10m";

/**
 * The text of haproxy.cfg (HAProxy 2.6) for one server's front door. It also says where each service listens,
 * so that two plans with the same text are served by the same process.
 * @throws BulkheadError for a health path that cannot be written into it
 */
export function configOf(plan: DoorPlan): string {
	// One that only checks has no clients.
	const share = Math.max(64, Math.floor(mostClients / Math.max(1, plan.services.length)));
	return [
		"# Written by Bulkhead; changes are lost.",
		...globalSection(share * plan.services.length),
		...defaultsSections(),
		...plan.services.flatMap((service, index) =>
			service.protocol === "http"
				? httpSections(plan, service, 4 + index, share)
				: tcpSections(plan, service, 4 + index, share),
		),
		...checkedOf(plan).flatMap((service) => healthSection(plan, service)),
		"",
	].join("\n");
}

function section(head: string, lines: readonly string[]): string[] {
	return ["", head, ...lines.map((line) => `\t${line}`)];
}

function globalSection(clients: number): string[] {
	return [
		...section("global", [
			// A request that is not replayed passes twice.
			`maxconn ${2 * clients + 100}`,
			// Where files are short, fewer clients are served at once, and not none.
			"no strict-limits",
			"nbthread 1",
			`tune.pipesize ${2 ** 19}`,
			`stats socket unix@${inside.run}/${adminSocket} mode 600 level admin`,
			"stats timeout 10s",
		]),
		// About 25,000 requests. It is memory of HAProxy's, so that the next daemon can read it too.
		...section(`ring ${ringName}`, ["format raw", "maxlen 200", "size 2621440"]),
	];
}

function defaultsSections(): string[] {
	const waiting = [
		`timeout connect ${attemptMs}ms`,
		"option abortonclose",
		"option clitcpka",
		"option srvtcpka",
	];
	return [
		...section("defaults http", [
			"mode http",
			...waiting,
			`timeout client ${slowestAnswer}`,
			`timeout server ${slowestAnswer}`,
			"timeout http-request 30s",
			"timeout http-keep-alive 60s",
			"timeout tunnel 24h",
			"option dontlognull",
			`log ring@${ringName} local0`,
			// felt.ts reads this. The method comes last because its length is the client's choice.
			'log-format "http %[date(0,ms)] %Ta %Tw %Tc %Tr %ST %rc %ts %ci:%cp %B %HM"',
			`http-error status 503 content-type "text/plain; charset=utf-8" string "The server does not answer at the moment. Please try again.\\n" hdr Retry-After 5`,
		]),
		...section("defaults tcp", [
			"mode tcp",
			...waiting,
			// The kernel moves what passes from one connection to the other, without copying it through HAProxy.
			"option splice-auto",
			"timeout client 24h",
			"timeout server 24h",
			`log ring@${ringName} local0`,
			'log-format "tcp %[date(0,ms)] %Tt %Tw %Tc -1 0 %rc %ts %B -"',
		]),
		...section("defaults health", ["timeout connect 300ms", "timeout server 1s", "timeout check 800ms"]),
	];
}

/**
 * Where new connections go while the server is drained: to a port of the guest that it does not publish, whose packets
 * the sandbox's firewall drops. An attempt meets silence and is made again, now to the guest if that is ready.
 * An address without a route or a closed port of our own would be an error at once, and all retries with it.
 * It is a backup: as long as the guest is not taken out of service, dead or not, no request is sent there.
 */
function holdServer(plan: DoorPlan): string[] {
	const published = new Set(plan.services.map(({ port }) => port));
	let port = 1;
	while (published.has(port)) port++;
	return ["option redispatch 1", `server hold ${plan.address}:${port} backup`];
}

/** How HAProxy is told to tell the server who its client is. */
const tellsClients = { no: "", v1: " send-proxy", v2: " send-proxy-v2" } as const;

/** A front door begins drained: nothing passes before it has been told whether users are held back at this moment. */
function guestServer(plan: DoorPlan, { port, proxy }: ServicePlan): string {
	return `server guest ${plan.address}:${port}${tellsClients[proxy ?? "no"]} disabled`;
}

/** A new connection is tried again until the time is up: a guest that starts answers the next attempt at once. */
function retries({ holdMs }: ServicePlan): string {
	return `retries ${Math.ceil(holdMs / attemptMs)}`;
}

function bindSection(service: ServicePlan, descriptor: number, share: number): string[] {
	return [
		`# published to the ${service.to} on port ${service.listen}`,
		`bind fd@${descriptor}`,
		`maxconn ${share}`,
		...trackLines(),
	];
}

/**
 * Requests that may be repeated (GET, HEAD, OPTIONS) are, when the connection ends before the response begins.
 * All others go through a second hop and are not: HAProxy 2.6 answers 502 only to the first request of a
 * connection and closes silently at a later one, which some clients take as leave to repeat it. On the inner hop
 * every request is the first. Before it, uploads are taken in as a whole: see uploads.ts.
 */
function httpSections(plan: DoorPlan, service: ServicePlan, descriptor: number, share: number): string[] {
	const name = nameOf(service);
	const inner = `unix@${innerSocketOf(service)}`;
	const guest = [guestServer(plan, service), ...holdServer(plan)];
	return [
		...section(`frontend ${name} from http`, [
			...bindSection(service, descriptor, share),
			// The server sees connections from the sandbox only. What a client says of itself is not passed on.
			"http-request del-header X-Forwarded-For",
			"option forwardfor",
			"acl repeatable method GET HEAD OPTIONS",
			// The inner hop logs those, with the times and retries that count.
			"http-request set-log-level silent if !repeatable",
			...uploadRules(service),
			`use_backend ${repeatBackendOf(service)} if repeatable`,
			`default_backend ${hopBackendOf(service)}`,
		]),
		...section(`backend ${repeatBackendOf(service)} from http`, [
			retries(service),
			"retry-on conn-failure empty-response",
			...guest,
		]),
		...section(`backend ${hopBackendOf(service)} from http`, [
			`timeout server ${innerAnswerMs(service)}ms`,
			"retries 0",
			"option http-server-close",
			`server inner ${inner}`,
		]),
		...section(`backend ${uploadBackendOf(service)} from http`, [
			`timeout server ${innerAnswerMs(service)}ms`,
			"option http-server-close",
			...uploadServers(service),
		]),
		...section(`frontend once.${name} from http`, [
			`bind ${inner} mode 600`,
			`maxconn ${share}`,
			`default_backend once.${name}`,
		]),
		...section(`backend once.${name} from http`, [retries(service), "retry-on conn-failure", ...guest]),
	];
}

function tcpSections(plan: DoorPlan, service: ServicePlan, descriptor: number, share: number): string[] {
	const name = nameOf(service);
	return [
		...section(`frontend ${name} from tcp`, [
			...bindSection(service, descriptor, share),
			`default_backend guest.${name}`,
		]),
		...section(`backend guest.${name} from tcp`, [
			retries(service),
			guestServer(plan, service),
			...holdServer(plan),
		]),
	];
}

/**
 * A backend that no request ever takes: a checked server that is down answers 503 at once, and the traffic is to
 * wait instead.
 */
function healthSection(plan: DoorPlan, service: ServicePlan): string[] {
	const { health } = service;
	if (health === "unchecked") return [];
	const talks = health !== null && "rules" in health;
	const share = service.share ?? usualShareOf(service.listen);
	const { first, last } = checkPortsOf(plan.watched?.includes(service) ? "watched" : share);
	// A server that expects to be told waits for it before it says a word.
	const tells = service.proxy === undefined ? "" : `${tellsClients[service.proxy]} check-send-proxy`;
	return section(`backend ${healthNameOf(service)} from health`, [
		...(health === null
			? []
			: talks
				? talkCheck(health, tells !== "")
				: httpCheck(plan, service, health.path)),
		`server guest ${plan.address}:${service.port} source ${plan.from}:${first}-${last} check ${intervals(service)} fall 1 rise 1${tells}`,
	]);
}

/**
 * A service that is down is asked four times as often. One that may hang up on whoever asks is down to HAProxy as long as it
 * does, and well to us: it writes a line of its log each time, or counts who does that.
 */
function intervals(service: ServicePlan): string {
	const everyMs = checkEveryMs(service);
	const downMs = mayHangUp(service) ? everyMs : everyMs / 4;
	return `inter ${everyMs}ms fastinter ${everyMs / 2}ms downinter ${downMs}ms`;
}

/** Lingering, as a check that ends in a reset is an error in the logs of PostgreSQL and others. */
function talkCheck({ rules, withinMs }: Talk, tells: boolean): string[] {
	const wrong = rules.find((rule) => !isTalkRule(rule));
	if (wrong !== undefined) throw new BulkheadError("internal", `not a rule of a health check: ${wrong}`);
	return [
		`timeout check ${withinMs}ms`,
		"option tcp-check",
		`tcp-check connect${tells ? " default" : ""} linger`,
		...rules,
	];
}

function httpCheck(plan: DoorPlan, service: ServicePlan, path: string): string[] {
	if (!/^\/[\w./~%?&=+:@,;()*!$-]{0,500}$/.test(path)) {
		const where = `servers.${plan.server}: health path of ${service.service}`;
		throw new BulkheadError(
			"bad-input",
			`${where}: ${JSON.stringify(path)} is no path; write it as /healthz`,
		);
	}
	return [
		"mode http",
		"option httpchk",
		`http-check send meth GET uri '${path}' ver HTTP/1.1 hdr Host ${plan.server}`,
		"http-check expect status 100-499",
	];
}
