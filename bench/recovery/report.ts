import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { MachineFacts } from "./facts.ts";
import type { WayFigures } from "./measure.ts";
import { inWords, plotSvg } from "./plot.ts";
import { type WayName, wayNames, wayTitles } from "./way.ts";

export interface Recovery {
	recovery: Partial<Record<WayName, WayFigures>>;
	ratio: Ratios;
	/** Requests a second. */
	rate: number;
	/** When the client gives a request up. */
	patienceMs: number;
	rounds: number;
	machine: MachineFacts;
	/** What was run for comparison, with the command line of its QEMU. */
	libvirt: { version: string; argv: string[] } | null;
}

/** Of median outages. */
export interface Ratios {
	libvirtToWarm?: number;
	coldToWarm?: number;
	coldToLibvirt?: number;
}

export function ratiosOf(figures: Partial<Record<WayName, WayFigures>>): Ratios {
	const ratio = (of: WayName, to: WayName) => {
		const [a, b] = [figures[of], figures[to]];
		return a && b ? Math.round((a.outageMs.median / b.outageMs.median) * 100) / 100 : undefined;
	};
	const pairs = {
		libvirtToWarm: ratio("libvirt", "warm"),
		coldToWarm: ratio("cold", "warm"),
		coldToLibvirt: ratio("cold", "libvirt"),
	};
	return Object.fromEntries(Object.entries(pairs).filter(([, value]) => value !== undefined));
}

function measured({ recovery }: Recovery): [WayName, WayFigures][] {
	return wayNames.flatMap((name) => {
		const figures = recovery[name];
		return figures ? [[name, figures] as [WayName, WayFigures]] : [];
	});
}

const titles = [
	"",
	"panics",
	"outage: median",
	"worst",
	"longest pause: median",
	"worst",
	"requests",
	"failed",
];

function rowsOf(result: Recovery): string[][] {
	return measured(result).map(([name, figures]) => [
		wayTitles[name],
		`${figures.panics}`,
		inWords(figures.outageMs.median),
		inWords(figures.outageMs.worst),
		inWords(figures.longestPauseMs.median),
		inWords(figures.longestPauseMs.worst),
		`${figures.sent}`,
		`${figures.failed}`,
	]);
}

export function resultTable(result: Recovery): string {
	const rows = [titles, ...rowsOf(result)];
	const widths = titles.map((_, i) => Math.max(...rows.map((row) => row[i]?.length ?? 0)));
	const lines = rows.map((row) =>
		row.map((cell, i) => (i === 0 ? cell.padEnd(widths[i] ?? 0) : cell.padStart(widths[i] ?? 0))).join("  "),
	);
	return [
		...lines.map((line) => `  ${line}`),
		"",
		...ratioLines(result.ratio).map((line) => `  ${line}`),
	].join("\n");
}

function ratioLines({ libvirtToWarm, coldToWarm, coldToLibvirt }: Ratios): string[] {
	const line = (what: string, value: number | undefined) =>
		value === undefined ? [] : [`${what}: ${value}`];
	return [
		...line("median outage, libvirt : Bulkhead warm", libvirtToWarm),
		...line("median outage, Bulkhead cold : Bulkhead warm", coldToWarm),
		...line("median outage, Bulkhead cold : libvirt", coldToLibvirt),
	];
}

const docs = fileURLToPath(new URL("../../docs", import.meta.url));

/** Writes the plot and its page. @returns the names of both */
export async function writeDocs(result: Recovery): Promise<string[]> {
	await mkdir(docs, { recursive: true });
	const subtitle = `From a kernel panic to the first right answer of a new session; a dot is one panic (${result.machine.accelerator.toUpperCase()})`;
	const rows = measured(result).map(([name, { outageMs }]) => ({
		title: wayTitles[name],
		values: outageMs.all,
		median: outageMs.median,
	}));
	await writeFile(
		join(docs, "recovery.svg"),
		plotSvg("How long users are without the server", subtitle, rows),
	);
	await writeFile(join(docs, "recovery.md"), page(result));
	return ["docs/recovery.svg", "docs/recovery.md"];
}

/** docs/recovery.md */
export function page(result: Recovery): string {
	const { machine, rate, rounds, libvirt } = result;
	const row = (cells: readonly string[]) => `| ${cells.join(" | ")} |`;
	const quiet = measured(result).map(
		([name, { quiet }]) =>
			`${wayTitles[name]} ${inWords(quiet.p50)} (median), ${inWords(quiet.p99)} (99 %), ${inWords(quiet.worst)} (worst)`,
	);
	return `# How long users are without a server that panics

Written by \`WRITE_DOCS=1 make bench\`; do not edit.

![A dot for each panic: how long it took until a new session answered](recovery.svg)

${row(titles)}
${row(titles.map((_, i) => (i === 0 ? "---" : "---:")))}
${rowsOf(result).map(row).join("\n")}

${ratioLines(result.ratio)
	.map((line) => `- ${line}`)
	.join("\n")}

## How it was measured

- The same guest in all: the template \`tiny\` with the same kernel, initrd and disk, ${machine.qemu ? `QEMU ${machine.qemu}` : "the same QEMU"},
  machine type, processor, memory and devices. One runs at a time, in turn, ${rounds} rounds.
- The panic is a real one: a non-maskable interrupt, injected through QEMU's monitor (\`bulkhead drill\`, \`virsh inject-nmi\`).
- A client asks for a page ${rate} times a second, evenly, whatever the answers do, and every request has its own connection.
  Nothing is asked twice by the client. **Outage**: from the panic until the first right answer of a new session to a
  request that was due after the panic. **Longest pause**: the longest that one request took that touched the outage, from
  the moment it was due, whatever became of it. The client gives one up after ${result.patienceMs / 1000} s: a pause of that length is when it gave
  up, and no answer. **Failed**: requests that got no right answer.
- Bulkhead's clients come through its front door (HAProxy) as users do; libvirt's guest is reached directly on its
  bridge, as libvirt's users have it. A proxy in front of it would hold requests as ours does, and would not make it start sooner.
${libvirt ? `- libvirt ${libvirt.version} (Debian's packages) with \`on_crash=restart\` and a panic device: it resets the QEMU process that panicked.\n` : ""}- Outside of the outages, and of a second after each, in the same rounds, requests took: ${quiet.join("; ")}.

Machine: ${machine.processors} processors (${machine.model}), ${machine.memoryGiB} GiB, ${machine.system}, Linux ${machine.kernel},
accelerator ${machine.accelerator.toUpperCase()}, load before the start ${machine.loadBefore}.
`;
}
