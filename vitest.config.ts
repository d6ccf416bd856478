import { defineConfig } from "vitest/config";

/** Real namespaces, nftables and HAProxy, and no machines: each file has its own, and most of its time is waiting. */
const net = [
	"between",
	"front-doors",
	"inbound",
	"leases",
	"names",
	"network",
	"outbound",
	"real-services",
	"services",
].map((name) => `test/vm/${name}.test.ts`);

/** Real machines, in tests that only look at what becomes of them: two files at a time. */
const pairs = [
	"after",
	"bad-input",
	"blue-screen",
	"controllers",
	"daemon",
	"damage",
	"disks",
	"domain",
	"export",
	"guest-contract",
	"guests",
	"hostile-guest",
	"image",
	"import",
	"lan",
	"logins",
	"membership",
	"nothing-left",
	"publish",
	"replay",
	"sandbox",
	"seals",
	"sessions",
	"shares",
	"site-names",
	"systems",
	"stand-in",
	"tls",
	"unattended",
	"virtio",
].map((name) => `test/vm/${name}.test.ts`);

/**
 * Four projects: what needs nothing of the host, what makes networks, what starts real machines two at a time, and what
 * has the host for itself.
 */
export default defineConfig({
	test: {
		// An error's message is shown whole: what fails now and then has to be understood from what it said that once.
		chaiConfig: { truncateThreshold: 0 },
		projects: [
			{
				test: {
					name: "unit",
					include: [
						"src/**/*.test.ts",
						"test/*.test.ts",
						"test/frames/*.test.ts",
						"test/sim/**/*.test.ts",
						"bench/**/*.test.ts",
					],
					// On two processors it would take one for itself.
					maxWorkers: 2,
					testTimeout: 30_000,
				},
			},
			{ test: { name: "net", include: net, maxWorkers: 3, testTimeout: 60_000 } },
			{
				test: {
					name: "pairs",
					include: pairs,
					maxWorkers: 2,
					testTimeout: 360_000,
					hookTimeout: 750_000,
				},
			},
			{
				test: {
					name: "vm",
					include: ["test/vm/**/*.test.ts"],
					exclude: [...net, ...pairs],
					fileParallelism: false,
					testTimeout: 360_000,
					hookTimeout: 750_000,
					bail: 0,
				},
			},
		],
	},
});
