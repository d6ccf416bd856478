import { defineConfig } from "vitest/config";

/** Two projects: what needs nothing of the host, and what starts real machines one after the other. */
export default defineConfig({
	test: {
		projects: [
			{
				test: {
					name: "unit",
					include: ["src/**/*.test.ts", "test/*.test.ts", "test/sim/**/*.test.ts", "bench/**/*.test.ts"],
					testTimeout: 30_000,
				},
			},
			{
				test: {
					name: "vm",
					include: ["test/vm/**/*.test.ts"],
					fileParallelism: false,
					testTimeout: 180_000,
					hookTimeout: 600_000,
					bail: 0,
				},
			},
		],
	},
});
