const linesKept = 300;
const lineLength = 2000;

/** The last messages of a monitor connection, kept as evidence. What every look asks is left out. */
export class Transcript {
	private readonly lines: string[] = [];
	private readonly routine = new Set<unknown>();

	sent(line: string): void {
		const message = JSON.parse(line);
		if (isRoutine(message)) this.routine.add(message.id);
		else this.keep("→", line);
	}

	received(line: string): void {
		const id = /"id": ?(\d+)/.exec(line)?.[1];
		if (id !== undefined && this.routine.delete(Number(id))) return;
		this.keep("←", line);
	}

	text(): string {
		return this.lines.join("\n");
	}

	private keep(direction: string, line: string): void {
		this.lines.push(`${new Date().toISOString()} ${direction} ${line.trim().slice(0, lineLength)}`);
		if (this.lines.length > linesKept) this.lines.shift();
	}
}

function isRoutine(message: { execute?: string; arguments?: Record<string, unknown> }): boolean {
	if (message.execute === "query-status" || message.execute === "query-dump") return true;
	// A look at the screen; a screenshot that somebody wants is another format.
	if (message.execute === "screendump" && message.arguments?.format === "ppm") return true;
	return message.arguments?.["command-line"] === "info registers -a";
}
