const linesKept = 300;
const lineLength = 2000;

/** The last messages of a monitor connection, kept as evidence. The routine question for the status is left out. */
export class Transcript {
	private readonly lines: string[] = [];
	private readonly routine = new Set<unknown>();

	sent(line: string): void {
		const message = JSON.parse(line);
		if (message.execute === "query-status") this.routine.add(message.id);
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
