/**
 * Who may import whom: DESIGN's table of imports, checked by `npm run imports` and by test/house.test.ts.
 * It is given a copy of the sources without types, hence the names that end in .js: see scripts/check-imports.ts.
 * Tests and what helps them (test/, *.test.ts, testing/) may import what they test.
 */
const tests =
	"(^(test|bench|scripts)/|[.]test[.]js$|/testing/|^src/cli/harness[.]js$|^src/client/(stand-in|samples)[.]js$)";

/** A room may import itself and the rooms named, and nothing else of ours. */
function room(name, others, extra = []) {
	const allowed = [name, ...others].map((other) => `^src/${other}/`);
	return {
		name: `${name}-imports-${others.join("-") || "nothing"}`,
		comment: `src/${name} may import ${others.join(", ") || "nothing of ours"}`,
		severity: "error",
		from: { path: `^src/${name}/`, pathNot: tests },
		to: { path: "^(src|web|test|bench|scripts)/", pathNot: [...allowed, ...extra].join("|") },
	};
}

module.exports = {
	forbidden: [
		room("api", []),
		{
			name: "api-runs-anywhere",
			comment: "src/api runs in browsers too: zod, and nothing of Node.js",
			severity: "error",
			from: { path: "^src/api/", pathNot: tests },
			to: { path: ".", pathNot: "^src/api/|^node_modules/zod/" },
		},
		room("host", []),
		...["qemu", "network", "directory", "templates", "store"].map((name) => room(name, ["host", "api"])),
		room("screen", ["api"]),
		{
			name: "screen-is-pure",
			comment: "src/screen looks at pixels that it is given, and reaches nothing outside",
			severity: "error",
			from: { path: "^src/screen/", pathNot: tests },
			to: { dependencyTypes: ["core", "npm", "npm-dev"] },
		},
		room("session", ["api"]),
		room("client", ["api"]),
		room("cli", ["api", "client"]),
		{
			name: "session-talks-through-env",
			comment: "src/session reaches the world through env.ts alone",
			severity: "error",
			from: { path: "^src/session/", pathNot: tests },
			to: { dependencyTypes: ["core", "npm", "npm-dev"] },
		},
		{
			name: "web-imports-api-client",
			comment: "web may import api and client",
			severity: "error",
			from: { path: "^web/", pathNot: tests },
			to: { path: "^src/", pathNot: "^src/(api|client)/" },
		},
		{
			name: "the-daemon-is-nobodys-library",
			comment: "only the daemon wires the real parts together",
			severity: "error",
			from: { path: "^(src|web)/", pathNot: `^src/daemon/|${tests}` },
			to: { path: "^src/daemon/" },
		},
		{
			name: "product-without-tests",
			comment: "what is shipped does not import tests or what helps them",
			severity: "error",
			from: { path: "^(src|web)/", pathNot: tests },
			to: { path: tests },
		},
		{
			name: "no-circles",
			severity: "error",
			from: {},
			to: { circular: true },
		},
		{
			name: "no-orphans",
			comment: "a module that nobody imports is an entry point, a test, or left over",
			severity: "error",
			from: {
				orphan: true,
				pathNot: `${tests}|^src/(cli|daemon)/main[.]js$|^src/store/history-worker[.]js$|^src/daemon/parts/screen-worker[.]js$|[.]d[.]js$|^web/`,
			},
			to: {},
		},
		{
			name: "only-what-can-be-found",
			severity: "error",
			from: {},
			to: { couldNotResolve: true },
		},
		{
			name: "only-what-is-declared",
			comment: "a package that package.json does not name works by accident",
			severity: "error",
			from: { path: "^src/", pathNot: tests },
			to: { dependencyTypes: ["npm-dev", "npm-no-pkg", "npm-unknown"] },
		},
	],
	options: {
		doNotFollow: { path: "node_modules" },
		preserveSymlinks: true,
		enhancedResolveOptions: {
			extensions: [".js", ".json"],
			conditionNames: ["import", "node", "default"],
			exportsFields: ["exports"],
		},
	},
};
